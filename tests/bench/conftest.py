"""The run trained once that learning's tests use."""

from tests.learning.conftest import trained as trained
