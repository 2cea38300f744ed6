"""Gets a page with NTLM by Samba's client and prints the status and the body.

Usage: ntlm.py SCHEME ADDRESS PATH USER PASSWORD
"""

import base64
import http.client
import ssl
import sys

from samba import gensec
from samba.credentials import Credentials
from samba.param import LoadParm

scheme, address, path, user, password = sys.argv[1:]
settings = LoadParm()
credentials = Credentials()
credentials.guess(settings)
credentials.set_domain("CONTOSO")
credentials.set_username(user)
credentials.set_password(password)
client = gensec.Security.start_client({"lp_ctx": settings, "target_hostname": ""})
client.set_credentials(credentials)
client.start_mech_by_name("ntlmssp")

if scheme == "https":
    unverified = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection(address, timeout=5, context=unverified)
else:
    connection = http.client.HTTPConnection(address, timeout=5)
token = b""
for _ in range(2):
    _, token = client.update(token)
    logon = "NTLM " + base64.b64encode(token).decode()
    connection.request("GET", path, headers={"Authorization": logon})
    reply = connection.getresponse()
    body = reply.read()
    for offer in reply.headers.get_all("WWW-Authenticate") or []:
        if offer.startswith("NTLM "):
            token = base64.b64decode(offer[5:])
print(reply.status)
print(body.decode("latin1"))
