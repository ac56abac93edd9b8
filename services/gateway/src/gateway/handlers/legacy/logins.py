"""The logins of the page: list them, end one, end all."""

from __future__ import annotations

from flask import Blueprint, Response, g

from gateway.domain.logins import LoginRules
from gateway.handlers import replies
from gateway.handlers.guard import Guard
from gateway.handlers.login import forget_cookie
from gateway.usecases import UseCases
from shared.contracts.foreign_text import name
from shared.contracts.logins import LoginRecord
from shared.runtime import get_logger

from . import PATH
from .serializer import Json, iso


def blueprint(use_cases: UseCases, guard: Guard, rules: LoginRules) -> Blueprint:
    routes = Blueprint("legacy_logins", __name__)

    def own_id() -> str:
        return g.login.id if g.login is not None else ""

    @routes.get(f"{PATH}/logins")
    def logins() -> Response:
        found = [_login(each, rules, current=each.id == own_id()) for each in use_cases.list_logins()]
        return replies.json({"success": True, "message": f"Logins: {len(found)}", "logins": found})

    @routes.delete(f"{PATH}/logins/<login_id>")
    def end_one(login_id: str) -> Response:
        use_cases.end_logins.one(login_id)
        get_logger().info("logins_ended", count=1)
        response = replies.json({"success": True, "message": "The login has ended", "ended": 1})
        return forget_cookie(response, guard) if login_id == own_id() else response

    @routes.delete(f"{PATH}/logins")
    def end_all() -> Response:
        ended = use_cases.end_logins.all()
        get_logger().info("logins_ended", count=len(ended))
        response = replies.json(
            {"success": True, "message": f"Logged out everywhere: {len(ended)}", "ended": len(ended)}
        )
        return forget_cookie(response, guard) if own_id() in ended else response

    return routes


def _login(login: LoginRecord, rules: LoginRules, *, current: bool) -> Json:
    return {
        "id": login.id,
        "current": current,
        "createdAt": iso(login.created_at),
        "seenAt": iso(login.seen_at),
        "endsAt": iso(rules.ends_at(login)),
        "address": name(login.address),
        "client": name(login.client),
    }
