"""Debian's docker-registry on a free port, with its data in a folder that goes away.

python registry.py -> prints its address, and ends with its standard input.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

folder = tempfile.mkdtemp()
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
config = os.path.join(folder, "config.yml")
with open(config, "w") as file:
    file.write(f"""version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
""")
registry = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    for _ in range(400):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            time.sleep(0.02)
    print(f"http://127.0.0.1:{port}", flush=True)
    sys.stdin.read()
finally:
    registry.kill()
    registry.wait()
    shutil.rmtree(folder)
