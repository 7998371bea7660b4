"""The authorisation matrix: every route with every scope, without one, and without a token."""

from tests.unit.access.test_matrix import (  # noqa: F401 - pytest takes them from here
    runner,
    test_every_change_is_in_the_audit_log,
    test_every_route_names_its_scopes,
    test_who_may_call_what,
    tokens,
)
