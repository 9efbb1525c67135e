#!/usr/bin/python3 -B
"""Drone's part: the log-in at the forge (OAuth) and the door for runners (RPC), each with its own secret."""

import hmac
import os
import urllib.parse

from service import Handler, secret, serve

SERVER = f"{os.environ['DRONE_SERVER_PROTO']}://{os.environ['DRONE_SERVER_HOST']}"
CLIENT_ID, CLIENT_SECRET, RPC_SECRET = secret("client_id"), secret("client_secret"), secret("rpc_secret")


class Drone(Handler):
    def get_(self):
        self.answer(200, "<title>Drone CI</title><a href=login>log in</a>\n")

    def get_login(self):
        query = urllib.parse.urlencode({"client_id": CLIENT_ID.decode(), "redirect_uri": f"{SERVER}/login", "response_type": "code"})
        self.answer(303, "", Location=f"{os.environ['DRONE_GITEA_SERVER']}/login/oauth/authorize?{query}")

    def post_rpc_v2_ping(self):
        known = hmac.compare_digest(self.headers.get("X-Drone-Token", "").encode(), RPC_SECRET)
        self.answer(204 if known else 401, "")

    def get_healthz(self):
        whole = all((CLIENT_ID, CLIENT_SECRET, RPC_SECRET))
        self.answer(200 if whole else 500, "ok\n" if whole else "a secret is empty\n")


serve(Drone)
