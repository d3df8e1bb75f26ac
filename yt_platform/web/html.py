"""What the guard itself shows: the login page, refusals, and the footer of every page."""

from html import escape

TERMS = {
    "YouTube's Terms of Service": "https://www.youtube.com/t/terms",
    "Google's Privacy Policy": "https://policies.google.com/privacy",
}
OPERATOR = "Privacy policy of this platform's operator"

_FOOTER_STYLE = (
    "position:fixed;right:0;bottom:0;z-index:10;padding:1px 6px;font:11px sans-serif;color:#555;"
    "background:rgba(255,255,255,.85);border-top-left-radius:4px"
)
_STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 38em; margin: 12vh auto; padding: 0 1em; color: #222; background: #fff }
input { font: inherit; width: 100%; box-sizing: border-box; padding: .4em; margin: .4em 0 }
button { font: inherit; padding: .4em 1.2em }
footer { margin-top: 4em; font-size: 13px }
"""


def links(privacy_policy_url: str | None) -> str:
    """What YouTube's policies want every page to link that shows its data: its terms, and who keeps what."""
    named = TERMS | ({OPERATOR: privacy_policy_url} if privacy_policy_url else {})
    return " · ".join(
        f'<a href="{escape(url)}" rel="noopener noreferrer" target="_blank" style="color:inherit">{escape(name)}</a>'
        for name, url in named.items()
    )


def footer(privacy_policy_url: str | None) -> bytes:
    return f'<footer style="{_FOOTER_STYLE}">{links(privacy_policy_url)}</footer>'.encode()


def login_page(here: str, wrong: bool, privacy_policy_url: str | None) -> str:
    """The form that takes the token and leads back to `here`."""
    said = "That is not the token." if wrong else "This page needs a login."
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Log in · YouTube data platform</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>
<h1>YouTube data platform</h1>
<p>{said} Open the link that <code>yt-platform up</code> prints, or enter the token that
<code>yt-platform token</code> shows.</p>
<form method="post" action="/login"><input type="hidden" name="next" value="{escape(here)}">
<label>Token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button>Log in</button></form>
<footer>{links(privacy_policy_url)}</footer></html>"""
