"""Pairs of images measured a second, as an evaluation needs them, beside the usual packages called one pair at a time.

One judgment under eight contenders (a learner, its average and five controls, the oracle): 16 outputs,
each measured against the preferred and the other image, 32 pairs by ΔE00, PSNR, SSIM and LPIPS. Ours
prepares every image once and works on all cores; the peers are scikit-image (ΔE00, PSNR),
pytorch-msssim (SSIM) and lpips (AlexNet), with as many threads of torch. LPIPS has random weights
in both: the same work, and a number that means nothing.
"""

import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, print_rows, row
from evaluation.metrics.lpips_distance import Lpips
from evaluation.metrics.metric import (
    Metric,
    as_batch,
    compare_pairs,
    delta_e_metric,
    psnr_metric,
    ssim_metric,
)
from evaluation.report.measuring import BATCH
from evaluation.report.threads import one_core_each

OUTPUTS = 16
ROUNDS = 3
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def random_lpips():
    """The peer's network with random AlexNet weights, and ours with the very same ones."""
    import lpips

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.pth"
        torch.save({f"features.{n.partition('.')[2]}": v for n, v in theirs.net.state_dict().items()}, path)
        network = Lpips(path)
    metric = Metric(
        name="lpips", title="LPIPS, random weights", unit="", lower_is_better=True, low=0, high=float("inf"),
        prepare=network.features, compare=network.distance,
    )  # fmt: skip
    return metric, theirs


def ours(outputs, targets, metrics):
    """As `evaluation.report.measuring` does it: outputs in batches, a batch a core, targets prepared once."""
    batches = [outputs[start : start + BATCH] for start in range(0, len(outputs), BATCH)]
    with one_core_each() as pool, torch.inference_mode():
        against = [list(pool.map(lambda m, t=t: _prepared(m, t), metrics)) for t in targets]
        return np.concatenate(list(pool.map(lambda batch: of_batch(batch, against, metrics), batches)))


@torch.inference_mode()
def _prepared(metric, image):
    return metric.prepare(as_batch([image], ["target"]))


@torch.inference_mode()
def of_batch(outputs, against, metrics):
    batch = as_batch(list(outputs), ["output"] * len(outputs))
    pairs = [(row, target) for row in range(len(outputs)) for target in range(len(against))]
    columns = [
        compare_pairs(metric, metric.prepare(batch), [target[k] for target in against], pairs)
        for k, metric in enumerate(metrics)
    ]
    return np.array(columns).T


def one_at_a_time(outputs, targets, pair):
    with torch.inference_mode():
        return np.array([pair(output, target) for output in outputs for target in targets])


def peers(network):
    """ΔE00, PSNR, SSIM and LPIPS of one pair, by the packages that papers use."""
    import pytorch_msssim

    def pair(a, b):
        one, two = (torch.from_numpy(image).permute(2, 0, 1)[None] for image in (a, b))
        return (
            deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean(),
            peak_signal_noise_ratio(a, b, data_range=1),
            float(pytorch_msssim.ssim(one, two, data_range=1.0, win_size=11)),
            float(network(one, two, normalize=True)),
        )

    return pair


def scikit_image(a, b):
    """ΔE00, PSNR and SSIM of one pair, by scikit-image alone."""
    return (
        deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean(),
        peak_signal_noise_ratio(a, b, data_range=1),
        structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1
        ),
    )


def _work_of_a_pair(functions):
    """Time of a core, which other work on the machine changes little; waiting of threads for each other is not in it."""
    torch.set_num_threads(1)
    taken = interleaved(functions, rounds=1, clock=time.process_time)
    torch.set_num_threads(CORES)
    ours, peer = (1e3 * taken[name] / (2 * OUTPUTS) for name in functions)
    return f"a pair takes {ours:.1f} ms of a core, the peer's {peer:.1f} ms ({peer / ours:.1f} times)"


def main():
    torch.set_num_threads(CORES)
    three = [delta_e_metric(), psnr_metric(), ssim_metric()]
    lpips_metric, network = random_lpips()
    rows = []
    for size in (256, 512):
        rng = np.random.default_rng(0)
        targets = rng.random((2, size * 2 // 3, size, 3)).astype(np.float32)
        noise = rng.normal(0, 0.1, (OUTPUTS, *targets.shape[1:]))
        outputs = np.clip(targets[0] + noise, 0, 1).astype(np.float32)
        cases = {
            "ΔE00, PSNR, SSIM": ("scikit-image", three, scikit_image),
            "ΔE00, PSNR, SSIM, LPIPS (random weights)": (
                "scikit-image + pytorch-msssim + lpips", [*three, lpips_metric], peers(network),
            ),
        }  # fmt: skip
        for what, (peer_name, metrics, pair) in cases.items():
            apart = np.abs(ours(outputs, targets, metrics) - one_at_a_time(outputs, targets, pair)).max()
            print(f"{what}, {size} px: the largest difference to {peer_name} is {apart:.1e}")
            functions = {
                "ours": lambda o=outputs, t=targets, m=metrics: ours(o, t, m),
                "peer": lambda o=outputs, t=targets, p=pair: one_at_a_time(o, t, p),
            }
            seconds = interleaved(functions, rounds=ROUNDS)
            print(f"{what}, {size} px: {_work_of_a_pair(functions)}")
            rate = {name: 2 * OUTPUTS / taken for name, taken in seconds.items()}
            rows.append(
                row(
                    f"{what}, {size} px, {CORES} cores",
                    ours=rate["ours"],
                    peer=rate["peer"],
                    peer_name=peer_name,
                    goal=3,
                    better="higher",
                    unit="pairs/s",
                )
            )
    print_rows(rows)


if __name__ == "__main__":
    main()
