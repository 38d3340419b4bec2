import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry


class TillsClient:
    def __init__(self, base_url, api_key):
        self.url = base_url + "/v2/orders"
        self.session = requests.Session()
        self.session.headers.update({"Authorization": "Bearer " + api_key, "Accept": "application/json"})
        retry = Retry(total=3, backoff_factor=0.2, status_forcelist=(429, 500, 502, 503, 504),
                      respect_retry_after_header=True)
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=retry))

    def changes(self, since=None):
        params = {"updated_since": since} if since else {}
        while True:
            response = self.session.get(self.url, params=params, timeout=(5, 30))
            response.raise_for_status()
            body = response.json()
            yield body["orders"]
            if body["next_page_token"] is None:
                return
            params["page_token"] = body["next_page_token"]


def flatten(record, prefix=""):
    flat = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{name}_"))
        else:
            flat[prefix + name] = value
    return flat
# canary: 3bfb8542-be3f-4bef-b5ba-cffd85a0a233
