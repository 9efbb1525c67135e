# Every secret is in git, but one. What is said of the machine is said of the throwaway, once its guide was followed; each scenario can run alone.
@c3
Feature: C3 - all secrets are in git, with one exception

  @w2
  Scenario: What base declares is what secrets holds
    Given a machine on which the guide was followed to its end
    When base's declared secrets are evaluated
    Then each declared secret has a value in git
    And git holds no secret that base does not declare
    And the secrets that every cc-ci needs are among them
    And each host's age recipient can open them

  @w6
  Scenario: One secret is out of band, by the documents
    Then the document about secrets names exactly one out-of-band secret, the bootstrap key

  @w4
  Scenario: One file was delivered, and it is the key
    Given a throwaway that did not exist before this run
    When the install guide is followed on it
    Then no file appeared on it between the first look at it and the guide's first command
    And each command that the operator ran was watched for what it delivered
    And exactly the bootstrap key was delivered
    And no secret was handed to the guide but what fetches the private repository
    And nothing but the suite's own access was put into the machine beside the guide

  @w5
  Scenario: What entered the machine is a closed list
    Given a machine on which the guide was followed to its end
    When everything that entered it is listed: by whom, which way, what, how many bytes, with which digest
    Then each entry of the list is told in full
    And no byte went over the suite's channels or the guide's own that no entry accounts for
    And each path in its store comes from the image, from git or a cache on the list, or was built on it

  @w4
  Scenario: The key is sufficient
    Given a machine on which the guide was followed to its end
    When base's declared secrets are evaluated
    Then each declared secret on the machine equals git's value
    And each has the owner, the group and the mode that base declares
    And nothing else lies where secrets are decrypted

  @w5
  Scenario Outline: The key is necessary
    Given a machine on which the guide was followed to its end
    When the machine is activated with <key>
    Then the activation is refused, and says that it is for the key
    And no secret is left behind
    And with the key put back every secret is decrypted again

    Examples:
      | key             |
      | no key          |
      | a foreign key   |
      | a truncated key |

  @w5
  Scenario: No secret leaked into git
    Given both repositories with every object of their histories
    Then no decrypted value lies in base's files
    And no decrypted value lies in any object of either repository
    And the bootstrap key and the fetch credential lie in no object of either repository

  @w5
  Scenario: No secret leaked on the machine
    Given a machine on which the guide was followed to its end
    Then no decrypted value lies in its Nix store, derivations included
    And no decrypted value lies in its journal
    And no decrypted value lies in swarm specs or container environments
    And no decrypted value lies in command lines of running processes
    And no decrypted value lies in any other file, but for the site's named exceptions

  @w5 @last
  Scenario: No secret leaked into our own reports
    Given a machine on which the guide was followed to its end
    When the run cleans up after itself
    Then no decrypted value lies in the suite's own reports
    And the bootstrap key and the fetch credential lie in none of them

  @w5 @late
  Scenario: Every search saw everything
    Given a machine on which the guide was followed to its end
    Then each place was listed by one means and scanned by another, and both met the same
    And each decrypted value was searched for, or is listed as not checked

  @w5
  Scenario: The DNS provider's token is nowhere
    Given a machine on which the guide was followed to its end
    Then no token of the DNS provider lies in base's files or in any object of either repository
    And no token of the DNS provider lies on the machine

  @w5
  Scenario: The credential that fetched the repository left no trace
    Given a machine on which the guide was followed to its end
    Then the fetch credential lies in no file, store path, journal entry, spec or process of the machine
    And it lies in no file of base, the lock file included

  @w5
  Scenario: There is one private key, in one place
    Given a machine on which the guide was followed to its end
    Then the bootstrap key lies nowhere but at its documented path
    And no other private key lies outside the decrypted secrets, but for the site's named exceptions
