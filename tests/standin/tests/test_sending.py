"""Messages: acknowledged, refused, lost on the way, late, and each counted exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from standin.process import StandInProcess

pytestmark = pytest.mark.browser

CHAT = "201234567890@c.us"
NEW_ID = f"WPP.chat.generateMessageID('{CHAT}').then(String)"
ACK_OF = "id => WPP.chat.getMessageById(id).then(message => message.ack)"


async def test_a_message_is_acknowledged_and_recorded_once(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    id_ = await linked.page.evaluate(NEW_ID)
    sent = await linked.send("hello", id_=id_)
    assert (sent["id"], sent["ack"]) == (id_, 1)
    assert sent["sendMsgResult"]["messageSendResult"] == "OK"
    [message] = standin.phone.messages()
    assert (message.id, message.to, message.text, message.copies) == (id_, CHAT, "hello", 1)
    assert await eventually(lambda: linked.page.evaluate(ACK_OF, id_)) in (1, 2)
    await eventually(lambda: linked.page.evaluate(f"id => ({ACK_OF})(id).then(ack => ack === 2)", id_))
    standin.phone.receipt(id_, "read")
    await eventually(lambda: linked.page.evaluate(f"id => ({ACK_OF})(id).then(ack => ack === 3)", id_))
    assert not linked.errors


async def test_a_refused_message_does_not_throw_and_is_not_recorded(linked: Any, standin: StandInProcess) -> None:
    standin.phone.set_faults(ack="nack")
    sent = await linked.send("hello")
    assert sent["ack"] == -1
    assert sent["sendMsgResult"]["messageSendResult"] != "OK"
    assert standin.phone.messages() == []


async def test_a_message_in_a_black_hole_stays_queued_and_leaves_once_after_the_reconnect(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    standin.phone.set_faults(ack="blackhole")
    id_ = await linked.page.evaluate(NEW_ID)
    sending = asyncio.ensure_future(linked.send("hello", id_=id_))
    await eventually(lambda: linked.page.evaluate(f"id => ({ACK_OF})(id).then(ack => ack === 0, () => false)", id_))
    done, _ = await asyncio.wait([sending], timeout=0.5)
    assert not done
    assert standin.phone.messages() == []
    standin.phone.set_faults(ack="normal")
    standin.phone.drop_sockets()
    assert (await asyncio.wait_for(sending, 10))["ack"] == 1
    [message] = standin.phone.messages()
    assert (message.id, message.copies) == (id_, 1)


async def test_a_queued_message_outlives_the_page(
    linked: Any, launch: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    standin.phone.set_faults(ack="blackhole")
    id_ = await linked.page.evaluate(NEW_ID)
    await linked.page.evaluate(
        "([to, id]) => void WPP.chat.sendTextMessage(to, 'later', {createChat: true, linkPreview: false,"
        " markIsRead: false, messageId: id})",
        [CHAT, id_],
    )
    await eventually(lambda: linked.page.evaluate("__standin.checkInvariants().then(found => found.queued === 1)"))
    await linked.close()
    standin.phone.set_faults(ack="normal")
    again = await launch()
    await again.wajs()
    [message] = await eventually(standin.phone.messages)
    assert (message.id, message.text) == (id_, "later")
    await eventually(lambda: again.page.evaluate(ACK_OF, id_))


async def test_a_lost_ack_shows_as_a_second_copy_of_one_message(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    standin.phone.set_faults(ack="lost")
    sending = asyncio.ensure_future(linked.send("hello"))
    await eventually(standin.phone.messages)
    standin.phone.set_faults(ack="normal")
    standin.phone.drop_sockets()
    assert (await asyncio.wait_for(sending, 10))["ack"] == 1
    [message] = standin.phone.messages()
    assert message.copies == 2


async def test_a_late_ack_arrives_late(linked: Any, standin: StandInProcess) -> None:
    standin.phone.set_faults(ack="late", ack_delay_ms=400)
    began = asyncio.get_running_loop().time()
    assert (await linked.send("hello"))["ack"] == 1
    assert asyncio.get_running_loop().time() - began > 0.4


async def test_an_incoming_message_arrives_and_is_confirmed(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    await linked.page.evaluate("window.seen = []; WPP.on('chat.new_message', message => seen.push(message.body))")
    [id_] = standin.phone.write("good morning")
    assert await eventually(lambda: linked.page.evaluate("seen")) == ["good morning"]
    await eventually(lambda: standin.phone.incoming_messages()[0].delivered_at)
    assert await linked.page.evaluate("id => WPP.chat.getMessageById(id).then(message => message.body)", id_)
    assert not linked.errors


async def test_what_was_written_while_the_page_was_away_is_delivered_at_its_login(
    linked: Any, launch: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    await linked.close()
    ids = standin.phone.write("while you were away", count=3)
    assert [message.delivered_at for message in standin.phone.incoming_messages()] == [None] * 3
    again = await launch()
    await again.until(socket="CONNECTED")
    await eventually(lambda: all(message.delivered_at for message in standin.phone.incoming_messages()))
    await again.wajs()
    bodies = await again.page.evaluate(
        "ids => Promise.all(ids.map(id => WPP.chat.getMessageById(id).then(message => message.body)))", ids
    )
    assert bodies == [f"while you were away {number}" for number in (1, 2, 3)]
