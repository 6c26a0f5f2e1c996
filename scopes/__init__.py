"""The pure rules of what may leave, to whom and why. No I/O, no framework, no clock; the rooms above bring those.

vocabulary  the closed words            field      what one field discloses, and a model's Shape
scope       our scopes                  transform  reductions of a value
provider    the vendors' scopes         screen     free text without identifiers (identifier: their check digits)
grant       what a clinic allowed       opaque     references that name nobody
quiet       hours of rest               cap        how often a person is reached
policy      a clinic's own rules        tracking   places that are refused everywhere
decision    may this call go out        template   a clinic's text: read, checked, filled (wording: what it says)
segments    how many SMS a text is      dlt        India's registered texts
money       currencies                  minimize   copy only what is declared (plan: made ready; fault: what is wrong)
"""
