from collections.abc import Iterator

import pytest

from tests.support.network_site import NetworkSite, running_network_site


@pytest.fixture(scope="session")
def network_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkSite]:
    with running_network_site(tmp_path_factory.mktemp("network-site")) as site:
        yield site


@pytest.fixture
def site(network_site: NetworkSite) -> NetworkSite:
    return network_site
