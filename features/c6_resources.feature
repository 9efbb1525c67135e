# Memory is measured from before the throwaway is asked for until after it is gone. The last two scenarios make the run clean up, and judge what it has used and left.
@c6
Feature: C6 - resources are respected, and nothing is left

  @w1
  Scenario: There is room for a throwaway
    Given the hypervisor, with everything that runs on it
    Then the throwaway fits beside it: within the guideline, and within what is physically there

  @w1
  Scenario: The recorded sizing is what is applied
    Given the base repository at the revision under test
    Then the decisions record the final size of the canonical host
    And each machine that they give a size has that size

  @w1
  Scenario: The canonical host is healthy at its final size
    Given the canonical host, which runs today
    Then it has the size that the decisions record
    And no unit on it has failed, its units have converged, and its services have their replicas

  @w3
  Scenario: The throwaway has the declared memory
    Given a throwaway that did not exist before this run
    Then it has the declared memory, by its configuration and by what the machine sees itself

  @w6 @late
  Scenario: The suite refuses to set memory on a running machine
    Given a throwaway that did not exist before this run
    When its memory is set while it runs
    Then the suite refuses, and nothing is sent
    And its state and its memory are what they were

  @w6 @late
  Scenario: Memory is changed by stop, set and start
    Given a throwaway that did not exist before this run
    When it is made smaller and given back what it had
    Then it stood still each time its memory was set, and ran before and after
    And each size was applied, by the hypervisor's word and by the machine's
    And no unit has failed and the system is running

  @w6 @last
  Scenario: Memory stays within the guideline at every moment
    Given a throwaway that did not exist before this run
    When the run cleans up after itself
    Then memory was measured from before the throwaway until it was gone, without a gap
    And everything that ran could take no more than the guideline together, at every moment
    And no more than is physically there

  @w6 @last
  Scenario: Nothing is left
    Given a throwaway that did not exist before this run
    When the run cleans up after itself
    Then the throwaway was seen to be gone
    And the hypervisor holds nothing that it did not hold before the run
    And no key of the run lies on this side
