# One wildcard certificate, from git to the stranger's client, byte for byte.
@c2
Feature: C2 - the certificate comes from git

  @w2
  Scenario: Git holds a certificate that can be served
    Given the certificate and key that git holds
    Then key and certificate belong together
    And the key stands in a secret of its own
    And the certificate covers every label under the domain
    And its chain is in order and leads to a trusted authority
    And it is valid now, and for as many days more as the site demands

  @w4
  Scenario: The machine's certificate files are git's
    Given a machine on which the guide was followed to its end
    Then the certificate files on it are git's bytes
    And the key's file can be read by its owner and group only

  @w4
  Scenario: The proxy carries git's certificate
    Given a machine on which the guide was followed to its end
    Then the proxy's swarm secrets carry git's bytes inside the running service

  @w4
  Scenario: Every public name serves git's certificate
    Given a machine on which the guide was followed to its end
    Then every public name, and a random label under the wildcard, serves exactly git's leaf over verified TLS

  @w5
  Scenario: No operator brings the certificate
    Given a machine on which the guide was followed to its end
    When the certificate files are deleted and the system is activated again
    Then the activation ends well
    And the certificate files on it are git's bytes
    And no document tells anyone to bring a certificate

  # The trusted authority's key is nobody's to have here: the new leaf comes from one that lives as long as the scenario.
  @w5
  Scenario: Renewal is a commit
    Given a machine on which the guide was followed to its end
    When a new certificate, from an authority made for this rehearsal, is committed to a scratch copy of secrets and the machine is rebuilt from it
    Then every public name, and a random label, serves exactly the new leaf, verified against that authority alone
    And a rebuild from git brings back git's system, files and leaf
