"""What Longshore must reach on Windows hosts, and whether it did."""

from collections.abc import Sequence

from bench.measure import WindowsSample
from bench.rounds import Row
from bench.targets import Verdict, figure
from bench.winrm.rows import LONGSHORE
from bench.winrm.uploads import Upload

REQUESTS = 12.0
RATE_OF_SESSION = 3.0
UPLOAD_RATE = 20.0


def judge(rows: Sequence[Row], uploads: Sequence[Upload]) -> list[Verdict]:
    """Hold what was measured against every target."""
    samples = [
        sample
        for row in rows
        if row.name == LONGSHORE
        for sample in row.samples
        if isinstance(sample, WindowsSample)
    ]
    return [
        figure(
            "requests to the host asked most, but for output",
            samples,
            lambda s: s.most_requests,
            REQUESTS,
            "",
        ),
        figure(
            "rate of pywinrm's Session.run_ps", samples, lambda s: s.ratio, RATE_OF_SESSION, "", least=True
        ),
        _upload("upload over HTTPS", [each for each in uploads if each.tls]),
        _upload("upload, sealed over HTTP", [each for each in uploads if not each.tls]),
    ]


def _upload(target: str, uploads: Sequence[Upload]) -> Verdict:
    return figure(target, uploads, lambda upload: upload.rate, UPLOAD_RATE, " MB/s", least=True)
