"""The former name of `losses.random_features`, for code that imports it from here."""

from losses.random_features import random_features as random_features
