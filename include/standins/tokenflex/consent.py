"""The page on which a person agrees: one small form (reference 1.3)."""

from __future__ import annotations

from html import escape

from include.standins.calls import Reply
from include.standins.tokenflex.contracts import PEOPLE

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Authorize application - stand-in of Autodesk</title></head>
<body><h1>Authorize application</h1>
<p>The application <strong id="client">{client}</strong> asks for: <span id="scopes">{scopes}</span></p>
<form method="post" action="{action}">
<input type="hidden" name="ticket" value="{ticket}">
<label>Signed in as <select name="person">{people}</select></label>
<button type="submit" name="answer" value="allow">Allow</button>
<button type="submit" name="answer" value="deny">Deny</button>
</form></body></html>
"""
_WRONG = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Error</title></head><body><h1>Error</h1><p>{text}</p></body></html>
"""
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}


def consent_page(*, client: str, scopes: str, ticket: str, action: str, signed_in: str) -> Reply:
    """Return the page with its buttons Allow and Deny.

    :param ticket: number under which the server keeps what is asked
    """
    options = (
        f'<option value="{escape(person.name)}"{" selected" if person.name == signed_in else ""}>{escape(person.name)}</option>'
        for person in PEOPLE
    )
    page = _PAGE.format(
        client=escape(client),
        scopes=escape(scopes),
        ticket=escape(ticket),
        action=escape(action),
        people="".join(options),
    )
    return Reply(200, body=page.encode(), content_type="text/html; charset=utf-8", headers=_HEADERS)


def wrong_page(text: str) -> Reply:
    """Return the page for a request from which nobody may be sent back: 400."""
    body = _WRONG.format(text=escape(text)).encode()
    return Reply(400, body=body, content_type="text/html; charset=utf-8", headers=_HEADERS)
