"""The obligations that the office's commands name, each in one line, with its source."""

import re

OBLIGATIONS = {
    "O1": "overt use only; no covert use, no one-off image searches (College of Policing guidance)",
    "O2": "who is looked for is an objective, published category (Bridges [2020] EWCA Civ 1058, 121-124)",
    "O3": "there are reasonable grounds to expect listed people at the place (Bridges, 130)",
    "O5": "lists are reviewed before each deployment; images are lawfully held, their source recorded, the most "
    "suitable one used (College of Policing guidance)",
    "O7": "a list is made at most 24 hours before and deleted straight after (Metropolitan Police, Croydon)",
    "O9": "people under 18 are not ordinarily listed; only at significant risk of harm, with the rationale recorded "
    "(South Wales Police procedure)",
    "O10": "biometrics of people who are not matched are deleted at once, unseen (Bridges, 93)",
    "O11": "alerts are deleted after use or within 24 hours (South Wales Police)",
    "O15-17": "people judge each alert, twice; nobody acts on the score alone (Bridges; South Wales Police procedure)",
    "O18": "the system is validated and assessed regularly (Surveillance Camera Code 3.2.3, 4.12)",
    "O19": "at most 1 false alert in 1,000 faces; at most 2,000 people on a list (South Wales Police, 2018)",
    "O20": "everything reasonable is done to show that no race or sex is treated worse (Bridges, 176-201; Equality Act "
    "2010 s.149)",
    "O21-22": "a deployment is authorised in writing, with a start and an end; an extension is a new order",
    "O23": "the public is told before: signs, codes, advance publication (Bridges)",
    "O25-27": "the impact assessment comes before; a policy document covers the public too (DPA 2018 ss.34-42, 64)",
}

_NAMED = re.compile(r"\bO\d+(?:-\d+)?\b")


def named_in(text: str) -> list[str]:
    """Return the ids of the obligations that a text names, in their order."""
    found = set(_NAMED.findall(text))
    return [name for name in OBLIGATIONS if name in found]


def legend(text: str) -> list[str]:
    """Return a line for each obligation that a text names."""
    return [f"{name}: {OBLIGATIONS[name]}" for name in named_in(text)]
