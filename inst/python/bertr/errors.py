"""The one error type that reaches the user: a sentence, a code R turns into a condition class, and a hint."""

COPY_AGAIN = "Copy the checkpoint folder again."  # hint if one of its files is damaged


class BertrError(Exception):
    """Bad input, described in one sentence.

    `code` becomes the R condition class `bertr_error_<code>`; `hint` says what to do about it.
    """

    def __init__(self, code: str, message: str, hint: str = ""):
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
