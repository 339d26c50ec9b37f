"""What the library promises: every row of the literature survey that a fixed DCGAN can carry, and the methods."""

import re

import pytest

import losses
from losses.catalogue import CATALOGUE

# The rows of the survey, each with the expression (or method) by which it is to be had here. Rows with parameter
# variants are one part with fields; rows that only set a parameter, or only combine parts, are named methods.
ROWS = {
    # scalar objectives
    "bce_ns": "bce_ns", "bce_mm": "bce_mm", "bce_linear": "bce_linear", "bce_relu_g": "bce_relu_g",
    "bce_ns_eps": "bce_ns_eps", "label_smooth": "label_smooth", "bce_imbalanced": "bce_imbalanced(gamma=0.5)",
    "lsgan": "lsgan", "lsgan_pearson": "lsgan-pearson", "absolute": "absolute", "asymmetric": "asymmetric + gp1",
    "hinge": "hinge", "hinge_ns": "hinge_ns", "hinge_mm": "hinge_mm", "hinge_relu1": "hinge_relu1",
    "hinge_relu0": "hinge_relu0", "hinge_imbalanced": "hinge_imbalanced(gamma=2)", "wasserstein": "wasserstein",
    "wgan_clip": "wgan", "w_imbalanced": "w_imbalanced(gamma=2)", "bgan": "bgan", "kl_wgan": "kl_wgan",
    "alpha_loss": "alpha_loss(0.5, 0.8)", "lsgan_qi": "loss_sensitive + lsgan_qi",
    "gan_qp": "wasserstein + gan_qp(norm=2)", "realness": "realness", "spheregan": "spheregan",
    # f-GANs
    "fgan_kl": "fgan_kl(saturating=True)", "fgan_rkl": "fgan_rkl", "fgan_js": "fgan_js", "fgan_gan": "fgan_gan",
    "fgan_pearson": "fgan_pearson", "fgan_neyman": "fgan_neyman", "fgan_hellinger2": "fgan_hellinger2",
    "fgan_tv": "fgan_tv", "fgan_alpha(<1)": "fgan_alpha(alpha=0.5)", "fgan_alpha(>1)": "fgan_alpha(alpha=2)",
    # relativistic, contrastive, batch-level
    "rp_bce": "rp_bce", "rp_ls": "rp_ls", "rp_hinge": "rp_hinge", "ra_bce": "ra_bce", "ra_ls": "ra_ls",
    "ra_hinge": "ra_hinge", "ralf": "ralf_bce", "rc": "rc_bce", "r3gan": "r3gan",
    "dual_contrastive": "dual_contrastive", "softmax_gan": "softmax_gan",
    "topk": "hinge + topk", "mmd_rbf": "mmd_rbf", "mmd_rq": "mmd_rq",
    "mmd_repulsive": "mmd_repulsive + spectral_norm", "cramer": "cramer + gp1", "fisher": "wasserstein + fisher",
    "sobolev": "wasserstein + sobolev", "mcgan_mean": "mcgan_mean", "mcgan_cov": "mcgan_cov", "swg": "bce_d + swg",
    # the discriminator's regularizers
    "gp1": "hinge + gp1", "gp1_onesided": "hinge + gp1_onesided", "gp0": "hinge + gp0", "dragan": "hinge + dragan",
    "r1": "hinge + r1(every=16)", "r2": "hinge + r2", "js_reg": "bce_ns + js_reg", "ar1": "hinge + ar1",
    "ar2": "hinge + ar2", "maxgp": "hinge + maxgp", "gp1_linf": "hinge + gp1_linf", "gp1_l1": "hinge + gp1_l1",
    "gp1_hinge": "wasserstein + gp1_hinge", "diggan": "hinge + diggan", "wdiv": "wasserstein + wdiv",
    "alp": "wasserstein + alp",
    "ct": "wasserstein + gp1 + ct", "local_gp": "hinge + local_gp(one_sided=True)", "drift": "wasserstein + drift",
    "lecam": "hinge + lecam", "cr": "hinge + cr", "bcr": "hinge + bcr", "zcr": "hinge + zcr + zcr_g", "icr": "icr-gan",
    "l2_D": "hinge + l2_d", "ortho": "hinge + ortho", "historical_avg": "hinge + historical_avg + historical_avg_g",
    "spectral_norm": "hinge + spectral_norm", "grad_norm": "hinge + grad_norm", "gp_pathlen": "hinge + gp_pathlen",
    "jacobian_clamp": "hinge + jacobian_clamp",
    # what the discriminator is shown
    "diffaug": "hinge + diffaug(cutout=False)", "ada": "hinge + ada", "apa": "hinge + apa",
    "diffusion": "hinge + diffusion", "instance_noise": "hinge + instance_noise", "pacgan": "hinge + pack(size=4)",
    # the generator's terms
    "fm": "bce_d + fm", "fm_cov": "hinge + coral", "gram": "hinge + gram", "corr_channel": "hinge + corr_channel",
    "corr_moment": "hinge + corr_moment", "corr_matched": "hinge + corr_matched", "corr_naive": "hinge + corr_naive",
    "mmd_feat": "bce_d + mmd_feat", "perceptual": "hinge + perceptual", "msgan": "hinge + msgan",
    "dsgan": "hinge + dsgan", "gdpp": "hinge + gdpp", "pulling_away": "hinge + pulling_away",
    "feature_variance": "hinge + feature_variance",
    # distances of batches, slices and potentials
    "otgan": "otgan", "sinkhorn": "sinkhorn", "smmd": "mmd_gaussian + smmd", "max_swg": "bce_d + max_swg",
    "san": "hinge + san_direction + san_head", "coulomb": "loss_sensitive + coulomb",
    # the balance of the two players
    "ttur": "hinge + ttur(ratio=4)", "critic_steps": "hinge + critic_steps(count=5)",
    "accuracy_gate": "hinge + accuracy_gate", "began_balance": "hinge + began_balance",
}  # fmt: skip

ARXIV = re.compile(r"arXiv:\d{4}\.\d{4,5}")


@pytest.mark.parametrize("row", ROWS)
def test_every_row_of_the_survey_is_to_be_had(row: str) -> None:
    method = losses.get(ROWS[row])
    assert losses.get(str(method)) == method


def test_every_part_is_reached_by_some_row() -> None:
    reached = {part.name for expression in ROWS.values() for part in losses.get(expression).parts}
    assert reached | {"bce_d", "rc_ls", "rc_hinge", "ralf_ls", "ralf_hinge"} == set(losses.registry.parts())


def test_at_least_forty_five_published_methods_beyond_aliases() -> None:
    distinct = {str(losses.get(name).resolved) for name in losses.names("method")}
    aliases = [name for name in losses.names("method") if losses.describe(name, "method").alias]
    assert aliases == ["fgan-js"]
    assert len(distinct) == len(losses.names("method")) - len(aliases) >= 45


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_method_has_recipe_and_source(name: str) -> None:
    method = losses.get(name)
    assert method.name == name
    assert method.recipe is not None
    assert ARXIV.search(method.citation) or name == "sphere-gan", "its paper has no arXiv version that we know of"
    assert re.search(r"\b(19|20)\d\d\b", method.citation)
    assert losses.get(str(method)).name == name, "an expression that says the same is the same method"
    # What only the invalid verdict forbids must not be what the recipe asks for.
    assert not (method.recipe.d_norm == "bn" and method.batch_norm == "invalid")


def test_no_summary_promises_a_pace_that_the_name_does_not_bring() -> None:
    """The pace of a paper is in its recipe: `critic_steps` and `ttur` bring it, and a name alone does not."""
    pace = re.compile(r"\b(critic|discriminator) (steps|updates)\b|\blearning rate")
    promising = {name for name, entry in CATALOGUE.items() if pace.search(entry.summary)}
    bringing = {
        name for name in promising if losses.get(name).critic_steps > 1 or losses.get(name).learning_rate_factor != 1
    }
    assert promising == bringing


def test_the_pace_that_the_pages_name_is_that_of_the_paper() -> None:
    bare, recipe = losses.get("wgan-gp"), losses.get("wgan-gp").recipe
    assert recipe is not None
    assert (bare.critic_steps, losses.get("wgan-gp + critic_steps(5)").critic_steps) == (1, recipe.critic_steps)
