"""C2's sabotages: how a certificate that is not git's would be served, and one that is would be let go stale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from lab.ca import Authority
from lab.names import DOMAIN
from lab.variant import Trees
from tests.sabotage.bench import Sabotage
from tests.sabotage.edits import GUIDE, INSTALL_SECRETS, RECONCILE, after_rebuild, base, both, reseal

FEATURE = "c2_certificate.feature"
IN_GIT = "Git holds a certificate that can be served"
FILES = "The machine's certificate files are git's"
PROXY = "The proxy carries git's certificate"
SERVED = "Every public name serves git's certificate"
NO_OPERATOR = "No operator brings the certificate"
RENEWAL = "Renewal is a commit"

STATIC = ("-m", "w2")


def _certificate(
    *names: str, days: int = 800, change: Callable[[dict[str, Any]], object] = dict, trusted: bool = True, intermediate_days: int = 3650
) -> Callable[[Trees], None]:
    """Another pair in git, from an authority of its own, which the site trusts unless told otherwise."""

    def edit(trees: Trees) -> None:
        root = Authority("sabotage root")
        chain, key = Authority("sabotage intermediate", root, days=intermediate_days).issue(*names, days=days)
        pair = {"fullchain": chain.decode(), "privkey": key.decode()}
        change(pair)
        reseal(lambda tree: tree.update(certificate=pair))(trees)
        if trusted:
            trust = trees.site_file.with_suffix(".pem")
            trust.write_bytes(root.certificate.public_bytes(Encoding.PEM))
            trees.rewrite(trees.site_file, 'privkey.pem"\ntrust = "certificates/root.pem"', f'privkey.pem"\ntrust = "{trust.name}"')

    return edit


def _misplace(pair: dict[str, Any]) -> None:
    """Somebody else's certificate between the leaf and the one that signed it."""
    mark = "-----END CERTIFICATE-----\n"
    stranger = Authority("a stranger").certificate.public_bytes(Encoding.PEM).decode()
    pair["fullchain"] = pair["fullchain"].replace(mark, mark + stranger, 1)


def _namesake(pair: dict[str, Any]) -> None:
    """Behind the leaf a certificate that bears its issuer's name, and another key."""
    mark = "-----END CERTIFICATE-----\n"
    leaf = pair["fullchain"].partition(mark)[0] + mark
    pair["fullchain"] = leaf + Authority("sabotage intermediate").certificate.public_bytes(Encoding.PEM).decode()


def _other_key(pair: dict[str, Any]) -> None:
    pair["privkey"] = Authority("another").issue(f"*.{DOMAIN}", days=90)[1].decode()


_combined = both(
    reseal(lambda tree: tree["certificate"].update(combined=tree["certificate"]["fullchain"] + tree["certificate"]["privkey"])),
    base("modules/certificate.nix", "  sops.secrets = {\n", '  sops.secrets = {\n    "certificate/combined".mode = "0444";\n'),
)

#: Whether the certificate that was decrypted is another than the one that is installed, in the words of install-secrets.
_IS_ANOTHER = '(LINK / "certificate/fullchain").exists() and (LINK / "certificate/fullchain").read_bytes() != values["certificate/fullchain"]'


def _activation(condition: str, *body: str) -> Callable[[Trees], None]:
    """More lines in the site's installation of secrets, once they are decrypted."""
    lines = [f"    {condition}", *(f"        {line}" for line in body)]
    here = "    values = decrypt_all(manifest)\n"
    return base(INSTALL_SECRETS, here, here + "\n".join(lines) + "\n")


SABOTAGES = (
    Sabotage(
        name="runs-out-soon",
        story="the certificate in git runs out in five days",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={IN_GIT: "days of validity left"},
        edit=_certificate(f"*.{DOMAIN}", DOMAIN, days=5),
    ),
    Sabotage(
        name="has-run-out",
        story="the certificate in git has run out",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={IN_GIT: "now is inside the validity window"},
        edit=_certificate(f"*.{DOMAIN}", DOMAIN, days=0),
    ),
    Sabotage(
        name="another-name",
        story="the certificate in git is for one host and not for all",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={IN_GIT: f"SAN has *.{DOMAIN}"},
        edit=_certificate(f"drone.{DOMAIN}"),
    ),
    Sabotage(
        name="another-key",
        story="certificate and key in git are of two renewals",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={IN_GIT: "belong together"},
        edit=_certificate(f"*.{DOMAIN}", DOMAIN, change=_other_key),
    ),
    Sabotage(
        name="chain-out-of-order",
        story="another certificate stands in the chain, between the leaf and its issuer",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={IN_GIT: "the chain is in order, leaf first"},
        edit=_certificate(f"*.{DOMAIN}", DOMAIN, change=_misplace),
    ),
    Sabotage(
        name="chain-of-a-namesake",
        story="behind the leaf stands a certificate that only bears its issuer's name",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={IN_GIT: "each certificate is signed by the next"},
        edit=_certificate(f"*.{DOMAIN}", DOMAIN, change=_namesake),
    ),
    Sabotage(
        name="key-behind-the-chain",
        story="the certificate's secret also holds the private key, and the file made of it can be read by everybody",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={IN_GIT: "holds no private key"},
        edit=_certificate(f"*.{DOMAIN}", DOMAIN, change=lambda pair: pair.update(fullchain=pair["fullchain"] + pair["privkey"])),
    ),
    Sabotage(
        name="intermediate-runs-out-soon",
        story="the leaf is good for years, and the intermediate that vouches for it runs out in five days",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={IN_GIT: "days of validity left"},
        edit=_certificate(f"*.{DOMAIN}", DOMAIN, intermediate_days=5),
    ),
    Sabotage(
        name="nobody-trusts-it",
        story="the certificate in git was issued by nobody whom a stranger trusts",
        feature=FEATURE,
        options=STATIC,
        static=True,
        reddens={IN_GIT: "leads to a trusted authority"},
        edit=_certificate(f"*.{DOMAIN}", DOMAIN, trusted=False),
    ),
    Sabotage(
        name="key-for-everybody",
        story="the key's file can be read by everybody on the machine",
        feature=FEATURE,
        reddens={FILES: "privkey.pem"},
        edit=base("modules/certificate.nix", 'mode = "0440";', 'mode = "0444";'),
    ),
    Sabotage(
        name="key-in-another-file",
        story="a secret for another program holds certificate and key together, and everybody on the machine may read it",
        feature=FEATURE,
        options=("-k", "files"),
        reddens={FILES: "certificate/combined"},
        edit=_combined,
    ),
    Sabotage(
        name="file-touched-up",
        story="the guide touches the certificate's file up after the rebuild",
        feature=FEATURE,
        reddens={FILES: "fullchain.pem"},
        may_redden={NO_OPERATOR: "the next activation puts it right"},
        edit=after_rebuild("echo >> /var/lib/ci-certs/live/fullchain.pem"),
    ),
    Sabotage(
        name="proxy-secret-touched-up",
        story="the swarm secret is made of the file with something added: the leaf is the same, the bytes are not",
        feature=FEATURE,
        reddens={PROXY: "ssl_"},
        may_redden={RENEWAL: "after the rehearsal, too, the service carries other bytes than git's"},
        edit=base(
            RECONCILE, 'docker("secret", "create", name, file)', 'docker("secret", "create", name, "-", stdin=Path(file).read_bytes() + bytes([10]))'
        ),
    ),
    Sabotage(
        name="proxy-secret-renamed",
        story="the proxy gets the certificate under another name than every cc-ci's",
        feature=FEATURE,
        options=("-k", "carries"),
        reddens={PROXY: "has the swarm secret ssl_cert"},
        edit=base("modules/proxy.nix", "ssl_cert", "tls_cert"),
    ),
    Sabotage(
        name="proxy-of-another-name",
        story="the site file names a proxy that no swarm has",
        feature=FEATURE,
        options=("-k", "carries"),
        reddens={PROXY: "service proxy_app exists"},
        edit=lambda trees: trees.rewrite(trees.site_file, "[certificate]\n", '[certificate]\nproxy = "proxy_app"\n'),
    ),
    Sabotage(
        name="proxy-scaled-away",
        story="the proxy is declared with git's certificate, and not one task of it runs",
        feature=FEATURE,
        options=("-k", "carries"),
        reddens={PROXY: "a task of service traefik_app runs"},
        edit=after_rebuild("/run/current-system/sw/bin/docker service scale traefik_app=0"),
    ),
    Sabotage(
        name="default-certificate",
        story="Traefik was not told of the certificate and silently serves its own",
        feature=FEATURE,
        reddens={SERVED: "handshake"},
        may_redden={RENEWAL: "the new leaf is not served either"},
        edit=both(
            base("modules/proxy.nix", 'certFile = "/run/secrets/ssl_cert";', 'certFile = "/run/secrets/nothing";'),
            base("modules/proxy.nix", "sniStrict = true;", "sniStrict = false;"),
            base("modules/proxy.nix", "    serves = {", "    servesNot = {"),
        ),
    ),
    Sabotage(
        name="operator-step",
        story="the files are made once, by hand as it were, and never again",
        feature=FEATURE,
        reddens={NO_OPERATOR: "fullchain.pem"},
        may_redden={RENEWAL: "a new certificate is not installed either", FILES: "what was deleted does not come back"},
        edit=base(INSTALL_SECRETS, "    try:\n            install(manifest)", "    try:\n            LINK.exists() or install(manifest)"),
    ),
    Sabotage(
        name="activation-wants-the-file",
        story="the activation gives up where the certificate's file is missing, instead of installing it",
        feature=FEATURE,
        options=("-k", "operator"),
        reddens={NO_OPERATOR: "the system activates without its certificate's files"},
        edit=_activation(
            'if LINK.exists() and not Path("/var/lib/ci-certs/live/fullchain.pem").exists() and not Path("/run/asked").exists():',
            'Path("/run/asked").touch()  # a second activation does, or the trial could not be undone',
            'raise Refused("the certificate is missing: bring it")',
        ),
    ),
    Sabotage(
        name="document-asks-for-a-file",
        story="the guide tells its reader to bring the certificate",
        feature=FEATURE,
        reddens={NO_OPERATOR: "install.md"},
        edit=base(GUIDE, "## 2. Rebuild\n", "Copy the certificate file to `/var/lib/ci-certs/live/fullchain.pem` on the machine.\n\n## 2. Rebuild\n"),
    ),
    Sabotage(
        name="renewal-refused",
        story="the activation takes no other certificate than the first",
        feature=FEATURE,
        options=("-k", "renewal"),
        reddens={RENEWAL: "a rebuild takes in a renewed certificate"},
        edit=_activation(f"if {_IS_ANOTHER}:", 'raise Refused("this is not the certificate that was here")'),
    ),
    Sabotage(
        name="way-back-delayed",
        story="a certificate that changed once takes two rebuilds to change again",
        feature=FEATURE,
        options=("-k", "renewal"),
        reddens={RENEWAL: "a rebuild from git brings back git's system and certificate"},
        edit=_activation(
            f"if {_IS_ANOTHER}:",
            'changed = Path("/run/changed")',
            "if changed.exists():",
            '    values.update({name: (LINK / name).read_bytes() for name in ("certificate/fullchain", "certificate/privkey")})',
            "changed.unlink() if changed.exists() else changed.touch()",
        ),
    ),
    Sabotage(
        name="renewal-goes-unnoticed",
        story="the proxy's secret is named for good, so that a renewed certificate reaches nobody",
        feature=FEATURE,
        reddens={RENEWAL: "leaf"},
        edit=both(
            base(RECONCILE, '_v{hashlib.sha256(content).hexdigest()[:12]}"', '_v1"'),
            base("modules/proxy.nix", "    serves = {", "    servesNot = {"),
        ),
    ),
)
