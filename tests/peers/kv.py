"""A loopback server that speaks the key-value API of Vault, versions 2 (mount `kv`) and 1 (mount `old`), as far as reading
goes. Before it says that it is ready, the vendor's own client, hvac, reads from it: that is the oracle that it speaks the
protocol.

python kv.py VALUE [FILE] -> with FILE over TLS, whose certificate it writes there; prints its address, then `METHOD PATH NAMESPACE` for every request, and ends with its standard input.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import hvac

VALUE = sys.argv[1]
TOKEN = "hvs.root-of-the-test"
SECOND = {
    "prod/db": {1: {"password": "an older one"}, 2: {"password": VALUE, "user": "ana"}},
    "prod/gone": {1: None},
    "prod/nested": {1: {"object": {"password": VALUE}, "list": [VALUE], "number": 5, "true": True}},
}
FIRST = {"prod/api": {"key": VALUE, "number": 5}}
fails = {"prod/flaky": 2}
seen = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        seen.append(f"GET {self.path} {self.headers.get('X-Vault-Namespace', '-')}")
        status, body = self.answer(path, query)
        text = json.dumps(body).encode()
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "http://127.0.0.1:1/stolen")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def answer(self, path, query):
        if self.headers.get("X-Vault-Token") != TOKEN:
            return 403, {"errors": ["permission denied", VALUE]}
        if path == "/v1/kv/data/prod/moved":
            return 307, {"errors": [VALUE]}
        if path == "/v1/kv/data/prod/flaky":
            fails["prod/flaky"] -= 1
            if fails["prod/flaky"] >= 0:
                return 503, {"errors": [VALUE]}
            return 200, {"data": {"data": {"password": VALUE}, "metadata": {"version": 1}}}
        if path == "/v1/kv/data/prod/large":
            return 200, {"data": {"data": {"password": VALUE * 1_000_000}, "metadata": {"version": 1}}}
        if path == "/v1/kv/data/prod/forbidden":
            return 403, {"errors": ["1 error occurred: permission denied", VALUE]}
        # An engine of version 2 that is mounted at `team/kv`.
        if path.startswith("/v1/team/kv/data/"):
            path = path.replace("/v1/team/kv/", "/v1/kv/")
        if path.startswith("/v1/kv/data/"):
            versions = SECOND.get(path.removeprefix("/v1/kv/data/"))
            if versions is None:
                return 404, {"errors": []}
            number = int(query.removeprefix("version=") or max(versions))
            if number not in versions:
                return 404, {"errors": []}
            data = versions[number]
            metadata = {"version": number, "deletion_time": "" if data else "2026-01-01T00:00:00Z", "destroyed": False,
                        "created_time": "2026-01-01T00:00:00Z", "custom_metadata": None}
            return (200 if data else 404), {"data": {"data": data, "metadata": metadata}}
        if path.startswith("/v1/old/"):
            data = FIRST.get(path.removeprefix("/v1/old/"))
            return (200, {"data": data, "lease_duration": 2764800}) if data else (404, {"errors": []})
        return 404, {"errors": ["no handler for route"]}

    def log_message(self, *_):
        pass


def certificate(path):
    """A certificate of its own for 127.0.0.1, and its key, in PEM."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a store of the tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    with open(path, "wb") as file:
        file.write(made.public_bytes(serialization.Encoding.PEM))
    with open(path + ".key", "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
TLS = sys.argv[2] if len(sys.argv) > 2 else None
if TLS:
    import ssl

    certificate(TLS)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS, TLS + ".key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http{'s' if TLS else ''}://127.0.0.1:{server.server_port}"

client = hvac.Client(url=address, token=TOKEN, verify=TLS or True)
second = client.secrets.kv.v2
latest = second.read_secret_version(path="prod/db", mount_point="kv", raise_on_deleted_version=True)
assert latest["data"]["data"]["password"] == VALUE and latest["data"]["metadata"]["version"] == 2
assert second.read_secret_version(path="prod/db", version=1, mount_point="kv", raise_on_deleted_version=True)[
    "data"]["data"]["password"] == "an older one"
for path, error in [("prod/none", hvac.exceptions.InvalidPath), ("prod/gone", hvac.exceptions.InvalidPath)]:
    try:
        second.read_secret_version(path=path, mount_point="kv", raise_on_deleted_version=True)
        raise SystemExit(f"hvac reads {path}")
    except error:
        pass
assert client.secrets.kv.v1.read_secret(path="prod/api", mount_point="old")["data"]["key"] == VALUE
try:
    hvac.Client(url=address, token="another", verify=TLS or True).secrets.kv.v1.read_secret(path="prod/api", mount_point="old")
    raise SystemExit("hvac reads without a token")
except hvac.exceptions.Forbidden:
    pass
seen.clear()

print(address, flush=True)
sys.stdin.read()
print("\n".join(seen), flush=True)
