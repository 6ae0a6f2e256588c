#!/bin/sh
# What an image or a server needs at the versions of the lock, for "cpu" or "gpu". Run in the environment to fill.
set -eu

target=${1:?cpu or gpu}
case $target in
    cpu) extras=postgres,heic,sentry ;;
    gpu) extras=postgres,heic,sentry,diffusion ;;
    *)
        echo "The target is $target; it must be cpu or gpu." >&2
        exit 2
        ;;
esac

# PyTorch has an index of builds without CUDA, gigabytes smaller: CPU_INDEX names it, or a mirror of it.
if [ "$target" = cpu ] && [ -n "${CPU_INDEX:-}" ]; then
    PIP_INDEX_URL="$CPU_INDEX" pip install --constraint requirements.lock torch torchvision
fi

# Only the dependencies: the code comes later, so that a change of it installs nothing anew.
pip install --constraint requirements.lock setuptools ".[$extras]"
pip uninstall --yes tonalist
