"""Personal data leaves a text without moving a character."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.redact import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ASK A. PERSON, A.PERSON@ORG.EXAMPLE 202-555-0143.", "ASK A. PERSON, ████████████████████ ████████████."),
        ("POC (202) 555-0143 OR 2025550143", "POC ██████████████ OR ██████████"),
        ("call 202.555.0143 or +1 202 555 0143", "call ████████████ or ███████████████"),
        ("Ring 020 7946 0018 today", "Ring 020 7946 0018 today"),
    ],
)
def test_emails_and_american_numbers_are_blocked_out_in_place(text: str, expected: str) -> None:
    assert redact(text, "US") == expected


def test_british_numbers_need_the_country() -> None:
    assert redact("Telephone 020 7946 0018.", "GB") == "Telephone █████████████."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "LICENCES. ACOR ESTON EXAMPLE, ESTON.P.EXAMPLE@AGENCY.EXAMPLE",
            "LICENCES. ACOR █████████████████████████████████████████████",
        ),
        ("CONTACTS: KAREN GALLOWAY (COR)", "CONTACTS: ██████████████ (COR)"),
        ("COR CHANGE FOR FACILITY GUARDS", "COR CHANGE FOR FACILITY GUARDS"),
        ("CORDLESS PHONES AND CORRECTED PSC CODE", "CORDLESS PHONES AND CORRECTED PSC CODE"),
        ("write to info@agency.example for info", "write to ███████████████████ for info"),
    ],
)
def test_contact_persons_are_blocked_out_and_other_words_stay(text: str, expected: str) -> None:
    assert redact(text, "US") == expected


@pytest.mark.parametrize(
    "text",
    [
        "CONT_AWD_70CMSD21P00000127_7012_-NONE-_-NONE-",
        "3,390,000.00 USD and 110367609.0",
        "from 09/01/2019 to 08/31/2022",
        "CPV 32323500-8, lot 12",
    ],
)
def test_contract_numbers_amounts_and_dates_stay(text: str) -> None:
    assert redact(text, "US") == text


@given(st.text(alphabet=st.sampled_from("ab@. -()+0123456789\n"), max_size=80))
def test_length_and_other_characters_never_change(text: str) -> None:
    done = redact(text, "US")
    assert len(done) == len(text)
    assert all(new in (old, "█") for old, new in zip(text, done, strict=True))
    assert redact(done, "US") == done
