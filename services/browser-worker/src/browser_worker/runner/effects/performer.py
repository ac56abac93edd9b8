"""Performs the machine's effects in order. What comes of an effect is posted as an event."""

from __future__ import annotations

from typing import assert_never

from browser_worker.domain.events import Effect, Event
from browser_worker.ports import BrowserGone, BrowserHangs, ProfileDamaged
from browser_worker.runner.context import Context
from browser_worker.runner.observer import Observer
from browser_worker.runner.sending import Sending
from shared.contracts.errors import ServiceError
from shared.contracts.sessions import State
from shared.runtime import get_logger

from .browser import BrowserEffects
from .connection import ConnectionEffects
from .ending import EndingEffects
from .profile import ProfileEffects
from .recovery import RecoveryEffects

log = get_logger()


class Performer:
    def __init__(self, context: Context, observer: Observer, sending: Sending) -> None:
        self._context = context
        self._deps = context.deps
        self._browser = BrowserEffects(context)
        self._profile = ProfileEffects(context)
        self._connection = ConnectionEffects(context, observer, sending)
        self._recovery = RecoveryEffects(context, self._browser)
        self._ending = EndingEffects(context, self._browser)

    async def perform(self, effects: tuple[Effect, ...]) -> bool:
        """All of them, in order. A failure ends the row and is posted as an event; then False is returned."""
        for effect in effects:
            try:
                await self._perform(effect)
            except Exception as error:
                # whatever the error is, a session must not stand still in silence
                self._report_failure(effect, error)
                return False
        return True

    async def _perform(self, effect: Effect) -> None:
        match effect:
            case Effect.FIND_PROFILE:
                await self._profile.find()
            case Effect.RESTORE:
                await self._profile.restore()
            case Effect.SET_ASIDE:
                await self._deps.profile_store.set_aside()
            case Effect.LAUNCH:
                await self._browser.launch()
            case Effect.CLOSE:
                await self._browser.close()
            case Effect.KILL:
                self._browser.kill()
            case Effect.SEAL:
                await self._connection.seal()
            case Effect.CONFIRM_CONNECTED:
                await self._connection.confirm_connected()
            case Effect.REFRESH_QR:
                await self._connection.refresh_qr()
            case Effect.TAKE_OVER:
                await self._connection.take_over()
            case Effect.CONSIDER_TAKE_OVER:
                await self._connection.consider_take_over()
            case Effect.PAUSE:
                await self._recovery.pause()
            case Effect.CLIMB:
                await self._recovery.climb()
            case Effect.RETRY_SLOWLY:
                await self._recovery.retry_slowly()
            case Effect.FORGET_ACCOUNT:
                self._context.reporter.set(account=None)
            case Effect.ALERT:
                self._context.reporter.alert(self._context.session)
            case Effect.SHUT_DOWN:
                await self._ending.shut_down()
            case Effect.WIPE:
                await self._ending.wipe()
            case _:
                assert_never(effect)

    def _report_failure(self, effect: Effect, error: Exception) -> None:
        known = isinstance(error, (BrowserGone, BrowserHangs, ServiceError, ProfileDamaged, OSError))
        log.warning(
            "effect_failed",
            session=self._deps.session,
            effect=effect.value,
            state=self._context.state.value,
            error=f"{type(error).__name__}: {error}"[:300],
            exc_info=None if known else error,
        )
        event = event_of_failure(effect, error, self._context.state)
        if event is not None:
            self._context.post(event)


def event_of_failure(effect: Effect, error: Exception, state: State) -> Event | None:
    """What a failed effect means. A session that is connected is not torn down because the disk is full."""
    match effect:
        case Effect.FIND_PROFILE:
            return Event.PROFILE_UNREADABLE
        case _ if state is State.RESTORING:
            return Event.RESTORE_FAILED
        case Effect.CONFIRM_CONNECTED | Effect.TAKE_OVER | Effect.CONSIDER_TAKE_OVER | Effect.REFRESH_QR:
            return None
        case (
            Effect.LAUNCH
            | Effect.RESTORE
            | Effect.SET_ASIDE
            | Effect.PAUSE
            | Effect.SEAL
            | Effect.CLIMB
            | Effect.RETRY_SLOWLY
            | Effect.FORGET_ACCOUNT
            | Effect.SHUT_DOWN
            | Effect.CLOSE
            | Effect.KILL
            | Effect.WIPE
            | Effect.ALERT
        ):
            if isinstance(error, BrowserHangs):
                return Event.BROWSER_HANGS
            return Event.BROWSER_GONE if isinstance(error, BrowserGone) else Event.LAUNCH_FAILED
        case _:
            assert_never(effect)
