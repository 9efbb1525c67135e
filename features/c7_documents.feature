# What a stranger reads before he rebuilds cc-ci, read as he reads it: sentences, lists, tables, links and commands. Only two scenarios need machines.
@c7
Feature: C7 - the documents tell the new model, and nothing else

  @w6
  Scenario: The documents describe the new model
    Given the site's documents at the revision under test
    Then each statement that they must make stands in its document, in a sentence that affirms it

  @w6
  Scenario: No document tells the old model
    Given the site's documents at the revision under test
    Then none of them tells of a certificate dropped in, of a secret on a host alone, or of sops bound to a host's key

  @w6
  Scenario: Every link leads somewhere
    Given the site's documents at the revision under test
    Then each relative link in them leads to a file of base, and each anchor to a heading

  @w6
  Scenario: What the documents name in git is there
    Given the site's documents at the revision under test
    Then each file and each secret that they name is in git
    And each host name under the domain that they name is one that the site declares

  @w6
  Scenario: What the documents name on the machine is there
    Given a machine on which the guide was followed to its end
    Then each path, unit and swarm service that the documents name is on the machine
    And each flake attribute that they name is one of base's

  @w6
  Scenario: DNS, gateway and the age key are all that is asked
    Given the site's documents at the revision under test
    Then the guide's preconditions are DNS, gateway and the age key
    And the guide asks for nothing beside them

  @w6 @ablation
  Scenario: Every command of the guide is needed
    Given a machine on which the guide was followed to its end
    When the guide is followed on fresh machines, each time without one of its commands
    Then each of its commands was left out once
    And without it the machine did not become cc-ci

  @w6
  Scenario: The open questions are answered
    Given the site's documents at the revision under test
    Then the decisions answer each open question with one of its possible answers
    And each answer is what the site file, the guide and the repositories show
