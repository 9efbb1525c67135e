"""The services: reconcile units, swarm replicas, public endpoints, the bridge."""

from __future__ import annotations

from pytest_bdd import then

from cleanroom import activation, vault, web
from cleanroom.site import Site
from cleanroom.throwaway import Throwaway
from cleanroom.web import Visitor


@then("each reconcile unit converges within its limit")
def units_converge(throwaway: Throwaway, site: Site) -> None:
    activation.check_reconciled(throwaway.machine, site)


@then("each swarm service has its replicas")
def services_have_replicas(throwaway: Throwaway, site: Site) -> None:
    activation.check_services(throwaway.machine, site)


@then("each public endpoint answers over verified TLS as the site says")
def endpoints_answer(visitor: Visitor, site: Site) -> None:
    web.check_endpoints(visitor, site.endpoint)


@then("the bridge accepts a webhook that is signed with git's secret")
def bridge_accepts(visitor: Visitor, site: Site, plaintext: vault.Opened) -> None:
    web.check_webhook_accepted(visitor, site.webhook, plaintext.values[site.webhook.secret])


@then("the bridge refuses a webhook with a wrong signature, and one without any")
def bridge_refuses(visitor: Visitor, site: Site, plaintext: vault.Opened) -> None:
    web.check_webhook_refused(visitor, site.webhook, plaintext.values[site.webhook.secret])
