#!/bin/bash
# One of eight parts of a plan. Submit with: sbatch slurm_array.sh
# A job that is preempted or runs out of time goes on from its records and checkpoints when it is submitted again.
#SBATCH --job-name=gan-losses
#SBATCH --array=1-8
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=32G
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --signal=B:INT@120
set -euo pipefail

RESULTS="$HOME/gan-losses/part$SLURM_ARRAY_TASK_ID"

# `exec`, so that the signal before the end reaches the program: it stops as on Ctrl-C, with checkpoints.
exec python -m bench run --suite classics --shard "$SLURM_ARRAY_TASK_ID/8" --results "$RESULTS" --progress plain
