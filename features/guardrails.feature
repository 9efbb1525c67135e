# What the suite must be incapable of. Requests that must never be sent are tried on the guard with the wire cut.
@guardrails
Feature: Guardrails - nothing is touched but the throwaway

  @w1
  Scenario Outline: What is not ours is refused before it is sent
    Given the hypervisor, behind the guard
    When <request> is asked for
    Then it is refused, and nothing is sent

    Examples:
      | request                                  |
      | a look into another project              |
      | a machine in another project             |
      | a stop of every machine of every project |
      | the deletion of a neighbour              |
      | a stop of a neighbour                    |
      | another size for a neighbour             |
      | a file for a neighbour                   |
      | a change of a profile                    |
      | a change of the project's limits         |
      | a deletion of the image                  |
      | a second throwaway that nobody asked for |
      | a machine without our mark               |
      | a machine with more memory than declared |
      | a copy of a neighbour                    |

  @w3
  Scenario: The throwaway is never adopted
    Given a throwaway that did not exist before this run
    Then this run asked for it, and what bears its name is still that machine, with this run's mark

  @w5
  Scenario: The site's own regression still passes
    Given a machine on which the guide was followed to its end
    When the site's own regression is run on it
    Then each of its named lines is there and holds

  @w6 @last
  Scenario: Only the declared project was touched
    Given a throwaway that did not exist before this run
    When the run cleans up after itself
    Then every request of the run was of the declared project, and every change one of the throwaway

  @w6 @last
  Scenario: One throwaway, and nobody else's machine changes
    Given a throwaway that did not exist before this run
    When the run cleans up after itself
    Then there was no throwaway at any moment but those that the run asked for
    And no other instance's configuration, state or boot changed while it lasted
