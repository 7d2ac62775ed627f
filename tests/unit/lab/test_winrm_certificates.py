"""The lab's certificate authority."""

from pathlib import Path

from cryptography.x509 import load_pem_x509_certificate

from lab.winrm.certificates import CertificateAuthority


def test_a_folder_that_holds_an_authority_is_that_authority_again(tmp_path: Path) -> None:
    first = CertificateAuthority(tmp_path)
    made = first.path.read_bytes()

    issued = CertificateAuthority(tmp_path).issue("web-1")

    assert first.path.read_bytes() == made
    load_pem_x509_certificate(issued.path.read_bytes()).verify_directly_issued_by(
        load_pem_x509_certificate(made)
    )
