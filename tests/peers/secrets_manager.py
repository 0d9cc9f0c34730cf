"""AWS Secrets Manager as moto has it, with secrets made by the vendor's own client.

python secrets_manager.py VALUE -> prints its address, and ends with its standard input.
"""

import json
import logging
import sys

import boto3
from moto.server import ThreadedMotoServer

VALUE = sys.argv[1]
logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
address = f"http://127.0.0.1:{port}"
client = boto3.client("secretsmanager", endpoint_url=address, region_name="eu-central-1",
                      aws_access_key_id="testing", aws_secret_access_key="testing")
client.create_secret(Name="prod/plain", SecretString=VALUE)
client.create_secret(Name="prod/db", SecretString=json.dumps({"user": "ana", "password": "an older one"}))
client.put_secret_value(SecretId="prod/db", SecretString=json.dumps({"user": "ana", "password": VALUE}))
client.create_secret(Name="prod/binary", SecretBinary=b"\x00\x01")
client.create_secret(Name="prod/gone", SecretString=VALUE)
client.delete_secret(SecretId="prod/gone")
print(address, flush=True)
sys.stdin.read()
