"""Plays a registrar that misbehaves: ADDRESS PORT hangs|plain|half PEM.

It takes what a client says first, and then says nothing, or something that is
no TLS, or half of its first flight and closes.
"""
import socket
import ssl
import sys
import threading

address, port, how, pem = sys.argv[1:]


def flight(hello):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(pem)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(hello)
    try:
        context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def serve(client):
    with client:
        hello = client.recv(65536)
        if how == "half":
            sent = flight(hello)
            client.sendall(sent[: len(sent) // 2])
            return
        if how == "plain":
            client.sendall(b"SIP/2.0 400 Bad Request\r\n\r\n")
        while client.recv(65536):
            pass


with socket.create_server((address, int(port))) as server:
    while True:
        threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
