"""Servers that speak OpenAI's protocol: the connection, and what can go wrong with one in a sentence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from index.errors import FonteError

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 120.0  # between two pieces; a long prompt on a slow server says nothing for a while
RETRIES = 2


def connect(url: str, *, read_timeout_s: float = READ_TIMEOUT_S, retries: int | None = None) -> Any:
    """Return a client of the server at `url`, which tries again `retries` times (RETRIES where None).

    The key comes from FONTE_OPENAI_KEY, else OPENAI_API_KEY.
    """
    from openai import OpenAI, Timeout

    key = os.environ.get("FONTE_OPENAI_KEY") or os.environ.get("OPENAI_API_KEY") or "none"
    timeout = Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S)
    return OpenAI(base_url=url, api_key=key, timeout=timeout, max_retries=RETRIES if retries is None else retries)


def first_model(client: Any, url: str, failure: type[FonteError]) -> str:
    """Return the first model that the server lists. Raises `failure`."""
    with explained(url, failure):
        listed = client.get("/models", cast_to=object)  # as it came: the library trusts the shape of what it lists
    match listed:
        case {"data": [{"id": str(first)}, *_]}:
            return first
    raise failure(f"The server at {url} lists no model: name one with openai:URL#MODEL.")


@contextmanager
def explained(url: str, failure: type[FonteError], *, begun: bool = False) -> Iterator[None]:
    """Turn what can go wrong with a server, before or after its reply has begun, into a `failure` of one sentence."""
    import openai

    try:
        yield
    except openai.APIConnectionError as error:  # also a timeout
        if begun:
            raise broken_off(url, failure) from error
        raise failure(f"No model answers at {url}: start the server, or check the address.") from error
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        raise failure(f"The server at {url} refuses the key: set FONTE_OPENAI_KEY.") from error
    except openai.NotFoundError as error:
        raise failure(
            f"The server at {url} does not know this address or model: write openai:URL#MODEL with a URL that ends as "
            "the server says, often in /v1."
        ) from error
    except openai.APIStatusError as error:
        if elsewhere := error.response.headers.get("location"):
            raise failure(f"The server at {url} sends on to {_short(elsewhere)}: give that address.") from error
        raise failure(f"The server at {url} answered {error.status_code}: {_short(error.message)}.") from error
    except (openai.OpenAIError, ValueError, RecursionError) as error:
        raise failure(f"The server at {url} sent what cannot be read: {_short(str(error))}.") from error
    except Exception as error:
        if type(error).__module__.startswith("http"):  # of the HTTP client, from the middle of a stream
            raise broken_off(url, failure) from error
        raise


def broken_off(url: str, failure: type[FonteError]) -> FonteError:
    """Return the error of a connection that ended before the reply did."""
    return failure(f"The model at {url} broke off in the middle of its reply: ask again.")


def _short(message: str) -> str:
    """Return the beginning of a message, without halves of characters: these can be neither printed nor stored."""
    return " ".join(message.split())[:200].rstrip(".").encode("utf-8", "replace").decode()
