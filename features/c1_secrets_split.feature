# What is in base, what is in secrets, and that nothing is in both. Only the last two scenarios need machines.
@c1
Feature: C1 - secrets live in a repository of their own

  @w2
  Scenario: The secrets repository holds secrets and nothing that thinks
    Given the secrets repository at the revision under test
    Then each of its files is a sops file, the sops rules, or inert text
    And each of its files is a plain file: none can be executed, none points elsewhere

  @w2
  Scenario: Every value is encrypted and every file is authentic
    Given the secrets repository at the revision under test
    When each sops file is opened with the bootstrap key
    Then every value in it was encrypted
    And the key opens it and its MAC verifies

  @w2
  Scenario: Each file is encrypted to those its rules name
    Given the secrets repository at the revision under test
    Then each sops file has exactly the recipients that the sops rules give its path
    And the bootstrap key's public half is one of them

  @w2
  Scenario: Base consumes the revision under test
    Given the base repository at the revision under test
    Then base consumes secrets by the declared means, from the declared place
    And the revision that base has locked is the revision of secrets under test

  @w2
  Scenario: The secrets repository is private
    Given the secrets repository's address and the declared credential
    Then the forge refuses a stranger who asks for it
    And the declared credential fetches it, the revision under test included

  @w2
  Scenario: Instance parameters stay in base, each defined once
    Given the base repository at the revision under test
    Then each instance parameter is defined exactly once in base
    And no instance parameter is kept in secrets

  @w4
  Scenario: One edit repoints the instance
    Given a machine on which the guide was followed to its end
    When the domain is changed by one edit in a scratch copy of base
    Then the scratch copy evaluates, to another system
    And the old domain stands nowhere in that system, and the new one does

  @w4
  Scenario: The canonical host has not drifted
    Given a machine on which the guide was followed to its end
    Then the canonical host runs the system that the flake builds, path and NAR hash of the whole closure
