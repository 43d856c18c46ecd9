"""What a vendor answers, over a real socket: status lines, headers, redirects, encodings, and bodies of all five."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from airflow.sdk import Connection

from nightshift.camunda_optimize.hook import CamundaOptimizeHook
from nightshift.errors import VendorError
from nightshift.exago.hook import ExagoHook
from nightshift.exago.paths import ContentPath
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.request import BuildRequest
from nightshift.flexnet.hook import FlexNetHook
from nightshift.tokenflex import oauth
from nightshift.tokenflex.hook import TokenFlexHook
from tests.fuzz.mutation import CANARY
from tests.fuzz.raw_vendor import RawVendor
from tests.fuzz.targets import Box, target

CONTRACT = "110000917988"
Call = Callable[[Any], Awaitable[object]]
_SESSION = b'{"Id":"s1d-abcdef","Page":"x","Sid":"s1d-abcdef"}'


async def _asked(kind: type[Any], vendor: RawVendor, call: Call, extra: str = "{}") -> None:
    connection = Connection(
        conn_id="x",
        conn_type=kind.conn_type,
        host=f"http://127.0.0.1:{vendor.port}",
        login="me",
        password=CANARY,
        extra=extra,
    )
    hook = kind("x", attempts=1, requests_per_minute=1_000_000, timeout=3, read_timeout=1)

    async def resolved() -> Any:
        return connection

    hook.resolved = resolved
    async with hook:
        await call(hook)


def _ask(box: Box, answer: bytes, kind: type[Any], call: Call, extra: str = "{}") -> None:
    async def asked() -> None:
        vendor = RawVendor(answer, (b"POST /rest/sessions", _whole(_SESSION)))
        await vendor.start()
        box.ports.clear()
        box.ports.update((vendor.port, vendor.elsewhere))
        try:
            await _asked(kind, vendor, call, extra)
        finally:
            await vendor.stop()
            for request in vendor.heard_elsewhere:
                # A login that stands in the vendor's own link is the vendor's, and so is all else that it has told.
                for secret in (CANARY.encode(), base64.b64encode(f"me:{CANARY}".encode())):
                    went = secret in request and secret not in answer
                    assert not went, f"the credentials went to another host: {request[:300]!r}"

    asyncio.run(asked())


def _whole(body: bytes, status: bytes = b"200 OK", kind: bytes = b"application/json") -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n" % (status, kind, len(body))
    return head + b"Connection: close\r\n\r\n" + body


FLEXNET = [
    b'{"header":{"pageNumber":1,"totalPages":2,"recordCount":3,"nextPageURL":"http://HOME/data/api/v1/report/usage?pageNumber=2"},'
    b'"data":[{"usageId":"1","x":null},{"usageId":"2"}]}',
    b'[{"usageId":"1"}]',
    b'{"usage":{"usageId":"STRING","n":"NUMBER"}}',
    b'{"usage":{"fields":{"usageId":{"type":"Date"}}}}',
    b'["usage","files"]',
    b'[{"name":"usage","fields":[{"name":"a","type":"b"}]}]',
]
CAMUNDA = [
    b'{"searchRequestId":"abc","message":null,"numberOfRecordsInResponse":1,"totalNumberOfRecords":1,"reportId":"r",'
    b'"data":[{"processInstanceId":"p","variables":{"a":1}}]}',
    b'{"numberOfRecordsInResponse":0,"totalNumberOfRecords":0,"data":5.5}',
    b'[{"id":"a"},{"id":"b"}]',
]
TOKENFLEX = [
    b'[{"contractNumber":"110000917988","status":"Active"}]',
    b'{"requestKey":"2026-11-28T22:03:36#d78f","requestStatus":"Ready","downloadUrl":"http://ELSEWHERE/x?sig=abc",'
    b'"requestedDate":"2026-11-28T22:03:36.123Z","downloadUrlExpiresAt":"2026-11-28T22:08:36","downloadFileName":"x"}',
    b'{"requests":[{"requestKey":"k","requestStatus":"Requested","where":"a=1"}]}',
    b'{"id":"q","status":"DONE","result":{"columns":["a"],"rows":[["1"]]},"pagination":{"offset":0,"limit":1}}',
    b'{"access_token":"abcdef","refresh_token":"ghijkl","expires_in":3599,"token_type":"Bearer"}',
]
EXAGO = [
    b'{"name":"Root","entity":[{"name":"App","isFolder":true,"entity":[{"name":"r","type":"advanced"}]}]}',
    b'{"Status":"Created"}',
    b'{"ExecuteData":"[{\\"a\\":1}]","IsError":false,"ErrorList":null}',
    b'{"ExecuteData":"a,b\\r\\n1,2\\r\\n","IsError":"false"}',
]
FLEXDEPLOY = [
    b'{"workflowRequestId":12001,"requestStatus":"COMPLETED","projectVersionId":40001}',
    b'[{"workflowRequestId":12001,"requestStatus":"FAILED","workflowExecutionId":7,"messages":["x"]}]',
    b'{"items":[{"projectId":1,"projectName":"x"}],"totalCount":1}',
    b"12001",
    b'{"taskId":1,"taskType":"Approval","status":"OPEN","workflowRequestId":12001}',
]
REFUSALS = [
    _whole(b'{"error":"no","message":"Authorization: Bearer ' + CANARY.encode() + b'"}', b"401 Unauthorized"),
    _whole(b"<html>" + CANARY.encode() + b"</html>", b"502 Bad Gateway", b"text/html"),
    _whole(b'{"errorCode":"x","reason":"password ' + CANARY.encode()[:14] + b'"}', b"400 Bad Request"),
    b"HTTP/1.1 429 Too Many\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n",
]


def _each(*calls: Call) -> Call:
    """Return a call of all these, the one after the other, whatever the others raise; raise the first in the end."""

    async def all_of_them(hook: Any) -> None:
        refused = None
        for call in calls:
            try:
                await call(hook)
            except VendorError as error:
                refused = refused or error
        if refused is not None:
            raise refused

    return all_of_them


async def _export(hook: TokenFlexHook) -> None:
    export = await hook.export(CONTRACT, "k")
    export.link_ends()
    export.asked_at()


async def _workflow_request(hook: FlexDeployHook) -> None:
    _ = (await hook.workflow_request(12001)).state


_FIRST, _LAST = date(2026, 11, 1), date(2026, 11, 21)
_FOLDER = ContentPath.parse("A/b")
_BEARER = json.dumps({"auth": "bearer", "token": CANARY})
_ENDPOINTS: tuple[tuple[str, type[Any], Call, list[bytes], str], ...] = (
    (
        "flexnet",
        FlexNetHook,
        _each(
            lambda hook: hook.report_page(hook.request_of("usage", key=("usageId",))),
            lambda hook: hook.report_page(hook.request_of("usage", format="csv", mode="batch")),
        ),
        FLEXNET,
        "{}",
    ),
    (
        "flexnet_model",
        FlexNetHook,
        _each(lambda hook: hook.report_columns("usage"), lambda hook: hook.report_names()),
        FLEXNET,
        "{}",
    ),
    (
        "camunda_optimize",
        CamundaOptimizeHook,
        _each(lambda hook: hook.result_page("r"), lambda hook: hook.report_ids("c")),
        CAMUNDA,
        "{}",
    ),
    (
        "tokenflex",
        TokenFlexHook,
        _each(
            _export,
            lambda hook: hook.query_page(CONTRACT, "q"),
            lambda hook: hook.exports(CONTRACT, _FIRST, _LAST),
            lambda hook: hook.contracts(),
            lambda hook: hook.usage_last(CONTRACT),
        ),
        TOKENFLEX,
        _BEARER,
    ),
    ("tokenflex_token", TokenFlexHook, oauth.sign_in_as_client, TOKENFLEX, '{"auth": "two_legged"}'),
    (
        "exago",
        ExagoHook,
        _each(
            lambda hook: hook.tree(),
            lambda hook: hook.create_folder(_FOLDER),
            lambda hook: hook.execute_report(_FOLDER, form="json"),
            lambda hook: hook.execute_report(_FOLDER, form="csv"),
        ),
        EXAGO,
        "{}",
    ),
    (
        "flexdeploy",
        FlexDeployHook,
        _each(
            _workflow_request,
            lambda hook: hook.workflow_executions(12001),
            lambda hook: hook.recent_executions(1),
            lambda hook: hook.open_approvals("12001"),
            lambda hook: hook.start(10101, BuildRequest.of(environment_id=1, stream_id=2)),
        ),
        FLEXDEPLOY,
        "{}",
    ),
)


def _endpoint(name: str, kind: type[Any], call: Call, bodies: list[bytes], extra: str) -> None:
    @target(f"payloads.{name}", bodies, VendorError, share=1.5)
    def _body(data: bytes, box: Box) -> None:
        _ask(box, _whole(data), kind, call, extra)

    @target(f"headers.{name}", [*map(_whole, bodies), *REFUSALS], VendorError, share=0.7)
    def _answer(data: bytes, box: Box) -> None:
        _ask(box, data, kind, call, extra)


for _one in _ENDPOINTS:
    _endpoint(*_one)

_BOMB = gzip.compress(b"[" + b" " * (200 << 20) + b"]", 9)
_HEADS = [
    b"HTTP/1.1 302 Found\r\nLocation: http://ELSEWHERE/x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://HOME/x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 307 Temporary\r\nLocation: //ELSEWHERE/x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 308 Permanent\r\nLocation: http://HOME@ELSEWHERE/x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: http://me:x@ELSEWHERE/\\HOME/x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_BOMB) + _BOMB,
    b"HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nConnection: close\r\n\r\n" + zlib.compress(b"{}" * 100),
    b"HTTP/1.1 200 OK\r\nContent-Encoding: br, gzip\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    b'HTTP/1.1 206 Partial\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\nETag: "x"\r\n\r\n56789',
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=" + b"x" * 4000 + b"\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Domain=evil.example\r\nLink: <http://ELSEWHERE/>; rel=next\r\n\r\n{}",
    b"HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 9999 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 999 ?\r\n\r\n",
    b"SSH-2.0-OpenSSH\r\n\r\n",
]


@target("headers.request", _HEADS, VendorError, share=4.0)
def _request(data: bytes, box: Box) -> None:
    async def call(hook: Any) -> None:
        response = await hook.request("GET", "/data", max_bytes=1 << 20)
        assert len(response.body) <= 1 << 20
        response.json()

    _ask(box, data, FlexNetHook, call)


@target("links.redirect", _HEADS[:5], VendorError, share=4.0)
def _redirect(data: bytes, box: Box) -> None:
    async def call(hook: Any) -> None:
        async with hook.stream("GET", "/data") as found:
            assert found.size is None or found.size >= 0
            async for _ in found:
                pass

    _ask(box, data, FlexNetHook, call)


@target("headers.download", _HEADS, VendorError, share=2.0, anywhere=True)
def _download(data: bytes, box: Box) -> None:
    async def call(hook: Any) -> None:
        # A link of a download may lead anywhere, and takes nothing along.
        async with hook.stream("GET", f"http://127.0.0.1:{hook.address.port}/x?sig=1", credentials=False) as found:
            size = 0
            async for chunk in found:
                size += len(chunk)
                if size > 1 << 20:
                    break

    _ask(box, data, FlexNetHook, call)
