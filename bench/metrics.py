"""Pairs of images measured a second: ΔE00, PSNR and SSIM as an evaluation needs them, beside scikit-image.

One judgment under eight contenders (a learner, its average and five controls, the oracle): 16 outputs,
each measured against the preferred and the other image, 32 pairs. Ours prepares every image once;
scikit-image is called one pair at a time.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.timing import interleaved, print_rows, row
from evaluation.metrics.metric import as_batch, delta_e_metric, psnr_metric, ssim_metric
from evaluation.report.threads import one_core_each

OUTPUTS = 16
METRICS = (delta_e_metric(), psnr_metric(), ssim_metric())


def ours(outputs, targets):
    with one_core_each() as pool:
        against = [[m.prepare(as_batch([t], ["target"])) for m in METRICS] for t in targets]
        return np.concatenate(list(pool.map(lambda output: of_output(output, against), outputs)))


@torch.inference_mode()
def of_output(output, against):
    prepared = [metric.prepare(as_batch([output], ["output"])) for metric in METRICS]
    return np.array(
        [
            [float(m.compare(p, t)) for m, p, t in zip(METRICS, prepared, target, strict=True)]
            for target in against
        ]
    )


def scikit_image(outputs, targets):
    return np.array([pair(output, target) for output in outputs for target in targets])


def pair(a, b):
    return (
        deltaE_ciede2000(rgb2lab(a), rgb2lab(b)).mean(),
        peak_signal_noise_ratio(a, b, data_range=1),
        structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=-1
        ),
    )


def main():
    rows = []
    for size in (256, 512):
        rng = np.random.default_rng(0)
        targets = rng.random((2, size * 2 // 3, size, 3)).astype(np.float32)
        noise = rng.normal(0, 0.1, (OUTPUTS, *targets.shape[1:]))
        outputs = np.clip(targets[0] + noise, 0, 1).astype(np.float32)
        apart = np.abs(ours(outputs, targets) - scikit_image(outputs, targets)).max()
        print(f"{size} pixels: the largest difference to scikit-image is {apart:.1e}")
        seconds = interleaved(
            {
                "ours": lambda o=outputs, t=targets: ours(o, t),
                "peer": lambda o=outputs, t=targets: scikit_image(o, t),
            },
            rounds=5,
        )
        rate = {name: 2 * OUTPUTS / taken for name, taken in seconds.items()}
        rows.append(
            row(
                f"metrics of an evaluation, {size} px",
                ours=rate["ours"],
                peer=rate["peer"],
                peer_name="scikit-image",
                goal=3,
                better="higher",
                unit="pairs/s",
            )
        )
    print_rows(rows)


if __name__ == "__main__":
    main()
