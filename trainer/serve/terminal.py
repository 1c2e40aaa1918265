"""A conversation in a terminal, line by line; or from a pipe, in the same way."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from lauter.chat.conversation import (
    AssistantTurn,
    ChatError,
    Conversation,
    Developer,
    Response,
    ToolCall,
    Turn,
    UserTurn,
)
from lauter.chat.encode import encode
from lauter.chat.parse import parse_answer
from lauter.chat.pieces import pieces
from lauter.trainer.generate.generate import generate
from lauter.trainer.generate.stream import Wish
from lauter.trainer.generate.tokenizer import TextTokenizer, TokenizerError
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.serve.answer import Answer, OutputFilter, Said

HELP = """\
/system TEXT  a system text from here on, in a new conversation; without TEXT the default one
/think        let the assistant deliberate, or not
/reset        a new conversation
/quit         leave"""


@dataclass
class Talk:
    """The state of a conversation: `say` answers one line after the other."""

    model: Apertus
    tokenizer: TextTokenizer
    wish: Wish
    """Of its numbers; `new_tokens` is cut where the model has no more positions."""
    write: Callable[[str], None]
    """Gets the response, in pieces."""
    write_aside: Callable[[str], None]
    """Gets thoughts, calls of tools and notes."""
    new_filter: Callable[[], OutputFilter] | None = None
    today: datetime.date | None = None
    """For the default system text."""
    system: str | None = None
    deliberation: bool = False
    turns: list[Turn] = field(default_factory=list)

    def say(self, line: str) -> bool:
        """Answer a line of the user, or do what it commands. False: leave."""
        command, _, rest = line.strip().partition(" ")
        match command:
            case "":
                pass
            case "/quit":
                return False
            case "/reset":
                self.turns.clear()
                self.write_aside("a new conversation\n")
            case "/system":
                self.system = rest.strip() or None
                self.turns.clear()
                self.write_aside("a new conversation\n")
            case "/think":
                self.deliberation = not self.deliberation
                self.write_aside(f"deliberation {'enabled' if self.deliberation else 'disabled'}\n")
            case _ if command.startswith("/"):
                self.write_aside(f"{HELP}\n")
            case _:
                self._answer(line.rstrip("\n"))
        return True

    def _answer(self, text: str) -> None:
        asked = Conversation((*self.turns, UserTurn(text)), self.system, Developer(self.deliberation))
        found = pieces(asked, open_answer=True, date=self.today)
        try:
            prompt = encode(found, self.tokenizer.plain, self.tokenizer.chat, bos=self.tokenizer.bos).ids
        except TokenizerError as error:
            self.write_aside(f"{error}\n")
            return
        room = self.model.shape.positions - len(prompt)
        if room < 1:
            self.write_aside(f"the conversation has {len(prompt)} tokens, more than the model can read: /reset\n")
            return
        answer = Answer(self.tokenizer, self.wish.stops, self.new_filter)
        try:
            self._speak(prompt, answer, min(room, self.wish.new_tokens))
        except KeyboardInterrupt:
            self.write_aside(" (stopped)")
        self._show(answer.finish())
        self.write("\n")
        self.turns += [UserTurn(text), self.heard(answer)]

    def _speak(self, prompt: list[int], answer: Answer, most: int) -> None:
        wish, ended = self.wish, set[int]()
        for _, token in generate(
            self.model,
            [prompt],
            new_tokens=most,
            temperature=wish.temperature,
            top_p=wish.top_p,
            seed=wish.seed,
            eos=self.tokenizer.ends,
            ended=ended,
        ):
            self._show(answer.push(token))
            if answer.end is not None:
                ended.add(0)

    def _show(self, said: Said) -> None:
        if said.thoughts:
            self.write_aside(said.thoughts)
        if said.response:
            self.write(said.response)
        for call in said.calls:
            self.write_aside(_call(call))

    def heard(self, answer: Answer) -> AssistantTurn:
        """What the model finds of its answer in what comes next: all of it, as far as that keeps the format."""
        try:
            turn = parse_answer(answer.tokens, self.tokenizer.seen, self.tokenizer.chat)
        except ChatError:
            text = self.tokenizer.seen(answer.tokens)
            return AssistantTurn((Response(text),) if text else ())
        # Nobody runs tools here: a call gets no output, and the turn is over.
        return turn


def talk(lines: Iterable[str], conversation: Talk) -> None:
    """Answer every line until there is none, or one says `/quit`."""
    for line in lines:
        if not conversation.say(line):
            return


def _call(call: ToolCall) -> str:
    return f"call of {call.name}: {call.arguments}\n"
