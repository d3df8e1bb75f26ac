"""Comments of a video, made on demand: which are threads, who replies to whom, texts and edits.

Here: comment number n of a video as a pure function of the video and n. Not here: how many there are and when they
arrived, which the world says. All texts and authors are invented, whatever the world.

Arrivals come in blocks of 20: 12 threads and 8 replies to threads of the same block, so that threads, replies and
their parents are found without a list. One block in four gives all 8 replies to one thread.
"""

from typing import NamedTuple

from yt_platform.sandbox.draws import draw
from yt_platform.sandbox.errors import ApiError
from yt_platform.sandbox.world import VideoState, World

INLINE_REPLIES = 5
"""Replies that a thread carries at most; the rest comes from comments.list."""

_BLOCK = 20
_THREADS = (0, 1, 2, 3, 5, 6, 8, 10, 11, 13, 15, 17)
_REPLIES = (4, 7, 9, 12, 14, 16, 18, 19)
# Thread of the block (a position in _THREADS) that each reply of the block answers, by variant of the block.
_PARENTS = (
    (0, 0, 0, 0, 0, 0, 0, 0),
    (1, 1, 2, 1, 1, 7, 1, 1),
    (0, 3, 3, 4, 6, 8, 9, 10),
    (2, 2, 5, 0, 2, 5, 9, 9),
)
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_OPENINGS = ("I think", "Honestly,", "Nobody says it, but", "From the first minute on", "As someone new to this,")
_VERDICTS = ("this was great", "the sound could be better", "the second half is the best", "<3 this", "I want more")
_EDITED_ONE_IN = 12
_PICTURE_ONE_IN = 8
_LINK_SECONDS = 6 * 3600


class Comment(NamedTuple):
    """One comment as it stands at an instant; `replies` numbers its visible replies, newest first. `image_url` is a
    link that ends six hours later; half of the comments with a picture have no text."""

    number: int
    comment_id: str
    parent_id: str | None
    text: str
    author: int
    like_count: int
    published_at: float
    updated_at: float
    replies: tuple[int, ...]
    image_url: str | None = None


def thread_count(comments: int) -> int:
    """Threads among the first `comments` arrivals."""
    blocks, rest = divmod(comments, _BLOCK)
    return blocks * len(_THREADS) + sum(position < rest for position in _THREADS)


def threads(world: World, video: VideoState, first: int, count: int, at: float) -> list[Comment]:
    """`count` threads of a video, newest first, leaving out the `first` newest."""
    total = thread_count(video.comment_count or 0)
    numbers = [_thread_number(thread) for thread in range(total - first - 1, total - first - count - 1, -1)]
    return comments(world, video, numbers, at)


def comments(world: World, video: VideoState, numbers: list[int], at: float) -> list[Comment]:
    """The comments with these numbers, all of which have arrived."""
    if not numbers:
        return []
    start = min(numbers)
    times = world.comment_times(video.video_id, start, max(numbers) + 1)
    arrived = video.comment_count or 0
    return [_comment(video.video_id, number, times[number - start], arrived, at) for number in numbers]


def find(comment_id: str) -> tuple[str, int]:
    """Video id and number of a thread. Raises ApiError 404 commentNotFound for what is no thread's id."""
    video_id, digits = comment_id[3:14], comment_id[14:20]
    if len(comment_id) == 26 and all(digit in _ALPHABET for digit in digits):
        number = sum(_ALPHABET.index(digit) << 6 * place for place, digit in enumerate(digits))
        if comment_id == _thread_id(video_id, number) and number % _BLOCK in _THREADS:
            return video_id, number
    raise ApiError("commentNotFound", location="parentId")


def replies(video_id: str, thread: int, arrived: int) -> tuple[int, ...]:
    """Numbers of the replies to thread number `thread` among the first `arrived` comments, newest first."""
    block, position = divmod(thread, _BLOCK)
    parents = _parents(video_id, block)
    found = [
        block * _BLOCK + reply
        for reply, parent in zip(_REPLIES, parents, strict=True)
        if _THREADS[parent] == position and position < reply and block * _BLOCK + reply < arrived
    ]
    return tuple(reversed(found))


def _thread_number(thread: int) -> int:
    block, position = divmod(thread, len(_THREADS))
    return block * _BLOCK + _THREADS[position]


def _parents(video_id: str, block: int) -> tuple[int, ...]:
    variant = draw(f"{video_id}/{block}") % len(_PARENTS)
    return tuple(
        # no reply comes before its thread: those that would go to the newest thread there is
        parent if _THREADS[parent] < reply else sum(position < reply for position in _THREADS) - 1
        for reply, parent in zip(_REPLIES, _PARENTS[variant], strict=True)
    )


def _comment(video_id: str, number: int, published_at: float, arrived: int, at: float) -> Comment:
    chance = draw(f"{video_id}#{number}")
    text = f"{_OPENINGS[chance % 5]} {_VERDICTS[chance // 5 % 5]} [synthetic comment {number}]"
    updated_at = published_at
    if chance // 25 % _EDITED_ONE_IN == 0:
        edited_at = published_at + 3600 + chance // 300 % 172_800  # an hour to two days later
        if edited_at <= at:
            text, updated_at = f"{text} (edited)", edited_at
    picture = draw(f"{video_id}#{number}/picture") % (2 * _PICTURE_ONE_IN)
    if picture == 0:
        text = ""
    block, position = divmod(number, _BLOCK)
    is_thread = position in _THREADS
    comment_id, parent_id = _thread_id(video_id, number), None
    if not is_thread:
        parent = _THREADS[_parents(video_id, block)[_REPLIES.index(position)]]
        parent_id = _thread_id(video_id, block * _BLOCK + parent)
        comment_id = f"{parent_id}.{_digits(number)}synthetic-reply0"
    return Comment(
        number=number,
        comment_id=comment_id,
        parent_id=parent_id,
        text=text,
        author=chance % 2**36,
        like_count=chance // 7 % 40 if chance % 3 == 0 else 0,
        published_at=published_at,
        updated_at=updated_at,
        replies=replies(video_id, number, arrived) if is_thread else (),
        image_url=_image_url(comment_id, at) if picture < 2 else None,
    )


def _image_url(comment_id: str, at: float) -> str:
    return f"https://yt3.ggpht.com/synthetic/{comment_id}?expire={int(at) + _LINK_SECONDS}"


def author_channel_id(author: int) -> str:
    return f"UCsynthetic-user-{_digits(author)}A"


def _thread_id(video_id: str, number: int) -> str:
    """26 characters, as YouTube's; they hold the video and the number."""
    return f"Ugs{video_id}{_digits(number)}4AaABA"


def _digits(number: int) -> str:
    return "".join(_ALPHABET[number >> 6 * place & 63] for place in range(6))
