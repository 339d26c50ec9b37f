"""Who comes first and last in the check of the network, as other pages say."""

from collections import defaultdict

from doc_pages import DOCS
from site_answers import records_of

from bench.probes.campaign_claims import score_of


def orders():
    """The methods of each workload from the lowest score to the highest."""
    scores = defaultdict(lambda: defaultdict(list))
    for record in records_of("network"):
        scores[record.spec.workload][record.spec.method_name].append(score_of(record))
    assert {len(seeds) for own in scores.values() for seeds in own.values()} == {2}
    return {workload: sorted(own, key=lambda name: sum(own[name])) for workload, own in scores.items()}


def test_weight_clipping_is_last_on_two_workloads_and_least_squares_on_the_third():
    found = orders()
    assert found["digits"][0] == found["mnist"][0] == "wgan"
    assert found["stacked-digits"][:2] == ["lsgan", "wgan"]
    page = (DOCS / "decisions" / "0007-a-discriminator-without-norm.md").read_text(encoding="utf-8")
    assert "Weight clipping comes last on digits and on MNIST. On stacks least squares come last" in page


def test_the_relativistic_loss_without_a_penalty_is_the_first_of_eight_on_stacks():
    found = orders()["stacked-digits"]
    assert (found[-1], len(found)) == ("rpgan", 8)
    assert "r3gan" not in found
    page = " ".join((DOCS / "explanation" / "which-loss-where.md").read_text(encoding="utf-8").split())
    assert "After 3,000 updates there it has the highest of eight scores, at two seeds and without R3GAN" in page
