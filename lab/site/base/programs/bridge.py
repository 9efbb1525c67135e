#!/usr/bin/python3 -B
"""The webhook bridge: takes a push from the forge if it carries the right HMAC over its body, and no other."""

import hashlib
import hmac

from service import Handler, secret, serve

KEY = secret("webhook_hmac")


class Bridge(Handler):
    def get_(self):
        self.answer(200, "<title>cc-ci bridge</title>webhooks come in at /hook\n")

    def post_hook(self):
        expected = "sha256=" + hmac.new(KEY, self.body(), hashlib.sha256).hexdigest()
        if hmac.compare_digest(self.headers.get("X-Hub-Signature-256", "").encode(), expected.encode()):
            self.answer(202, "accepted\n")
        else:
            self.answer(401, "wrong signature\n")


serve(Bridge)
