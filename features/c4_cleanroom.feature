# One machine is made for all of these scenarios, given one key, and taken through its own guide once. Each scenario can run alone, and in any order.
@c4
Feature: C4 - a blank machine becomes cc-ci by its own guide

  @w3
  Scenario: The machine is new
    Given a throwaway that did not exist before this run
    Then no machine had its identity before
    And it was created after the run began
    And it was made from the declared image
    And whatever bore its name before was deleted first

  @w3
  Scenario: The machine is blank
    Given a throwaway that did not exist before this run
    Then it held no repository and no container, and took part in no swarm
    And it held no secret and no private key
    And its only system generation was the image's own

  @w4
  Scenario: The bootstrap key arrives as documented, and no other way
    Given a throwaway that did not exist before this run
    When the install guide is followed on it
    Then a command of the guide that names the bootstrap key brought it
    And what lies at its documented path is the bootstrap key
    And nothing but the suite's own access was put into the machine beside the guide

  @w4
  Scenario: Nothing but the guide changed the machine
    Given a throwaway that did not exist before this run
    When the install guide is followed on it
    Then each command of the guide ran once, in the order it is written, and ended as documented
    And every other command on the machine only looked

  @w4
  Scenario: The system activates
    Given a machine on which the guide was followed to its end
    Then the machine runs the system that the flake builds
    And the image's generation was followed by a new one, which is the current one
    And no unit has failed and the system is running

  @w4
  Scenario: The services converge
    Given a machine on which the guide was followed to its end
    Then each reconcile unit converges within its limit
    And each swarm service has its replicas

  @w4
  Scenario: The public endpoints answer
    Given a machine on which the guide was followed to its end
    Then each public endpoint answers over verified TLS as the site says
    And the bridge accepts a webhook that is signed with git's secret
    And the bridge refuses a webhook with a wrong signature, and one without any

  @w5
  Scenario: A second rebuild changes nothing
    Given a machine on which the guide was followed to its end
    When the guide's rebuild command is run again
    Then it ended well and built nothing
    And no unit and no swarm task was restarted by it

  @w5
  Scenario: It survives a reboot
    Given a machine on which the guide was followed to its end
    When the machine is rebooted
    Then another boot answers, of the same system
    And no unit has failed and the system is running
    And each reconcile unit converges within its limit
    And each swarm service has its replicas
    And each public endpoint answers over verified TLS as the site says
    And the bridge accepts a webhook that is signed with git's secret
    And the bridge refuses a webhook with a wrong signature, and one without any

  @w5 @late
  Scenario: Nobody else touched it
    Given a machine on which the guide was followed to its end
    Then each of the hypervisor's events about it is an act of this run
    And each log-in on it is one of this run

  @w5 @twice
  Scenario: Two strangers agree
    Given a machine on which the guide was followed to its end
    When the same is done on a second throwaway
    Then both run the same closure, NAR hash for NAR hash
