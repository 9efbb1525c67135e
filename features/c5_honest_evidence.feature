# What the site's owner claims is judged against the signed record of an earlier run, never against itself. No scenario here needs a machine.
@c5 @w6
Feature: C5 - the evidence is honest

  Scenario: The claim has both halves
    Given the site's evidence document, and the signed record of the run that it refers to
    Then the document claims a byte-identical closure, and in the record the canonical host had not drifted
    And the document claims a rebuild in the clean room, and in the record every scenario of it passed

  Scenario: Every fact is the record's
    Given the site's evidence document, and the signed record of the run that it refers to
    Then each fact is stated in the document once, and none is missing
    And each stated fact equals the record's
    And whatever else in it looks like a fact stands in the record
    And the commands that it shows are those that ran, in their order
    And whoever says DONE names a run, and its signed record bears that out

  Scenario: The old excuse is gone
    Given all of the site's documents
    Then none of them says that a rebuild is infeasible by design, in whatever words, nor any other forbidden phrase

  Scenario: A limitation is narrow, and somebody answers for it
    Given all of the site's documents
    Then the evidence document says what its limitations are, or that there are none
    And each limitation has a narrow scope, a reason, the most that was tested, and a sign-off with name and date
    And no limitation has host-key binding, DNS or certificates for its reason

  Scenario: The evidence is of today
    Given the site's evidence document, and the signed record of the run that it refers to
    Then the record is of this site, and younger than the site allows
    And the record is of a cold start in the adversary's role
    And the record's revisions are those now at the head of both repositories

  @last
  Scenario: Nothing was weakened
    Given the site's evidence document, and the signed record of the run that it refers to
    Then the feature files, and all that judges by them, are as a commit has them
    And the record was made with these very feature files, under the site's terms as they stand
    And in the record every scenario but those about evidence passed, none left out, skipped or expected to fail
    And the stand-alone verifier finds nothing else against the record
    And of this run, as far as it went, nothing was skipped or expected to fail
