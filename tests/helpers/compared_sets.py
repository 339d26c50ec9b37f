"""The made-up world whose sets the tests of `compare` hold against each other."""

from synthetic import World

WORLD = World(methods=("nsgan", "hinge", "lsgan"), workloads=("digits",), scatter=0.1)
