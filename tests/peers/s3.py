"""S3 as moto has it, with a bucket `deployments`. One request at a time, so that a conditional put is atomic as S3's is.

python s3.py [flaky|lossy] -> prints its address, ends with its standard input, and prints what it was asked for. A flaky one
answers every third request with 503; a lossy one does what a third of the puts ask, and answers 503 all the same.
"""

import logging
import sys
import threading

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
asked = []
mode = sys.argv[1] if len(sys.argv) > 1 else ""
moto = DomainDispatcherApplication(create_backend_app)


def app(environ, start_response):
    asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
    ours = mode and environ["HTTP_USER_AGENT"].startswith("object_store") and len(asked) % 3 == 0
    if ours and (mode == "flaky" or environ["REQUEST_METHOD"] == "PUT"):
        if mode == "lossy":
            list(moto(environ, lambda *_: None))
        start_response("503 Slow Down", [("Content-Length", "0")])
        return []
    return moto(environ, start_response)


server = make_server("127.0.0.1", 0, app, threaded=False)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
client = boto3.client("s3", endpoint_url=address, region_name="us-east-1",
                      aws_access_key_id="testing", aws_secret_access_key="testing")
client.create_bucket(Bucket="deployments")
asked.clear()
print(address, flush=True)
sys.stdin.read()
try:
    print("\n".join(asked), flush=True)
except BrokenPipeError:
    pass  # nobody asks any more
