#!/bin/bash
# Unites the parts. Submit after the array: sbatch --dependency=afterany:JOB slurm_merge.sh
#SBATCH --job-name=gan-losses-merge
#SBATCH --time=00:30:00
set -euo pipefail

python -m bench merge "$HOME"/gan-losses/part* --into "$HOME/gan-losses/all"
python -m bench report --results "$HOME/gan-losses/all"
