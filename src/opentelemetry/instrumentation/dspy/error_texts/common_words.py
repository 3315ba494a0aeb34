"""Words that say nothing of anybody: those of every text, those of errors, and those of the protocols of models."""

from __future__ import annotations

__all__ = ["COMMON_WORDS", "PROTOCOL_VALUES", "PROTOCOL_WORDS"]

_COMMON = """
a able about above accept accepted accepts access account across action active actual add added address after again
against ago agree all allow allowed allows almost alone along already also although always am among amount an and
another answer answered answers any anyone anything apart appear are area argument arguments around array as ask asked
asking asks at attempt attempts away back bad base batch be became because become been before began begin behind being
below beside best better between beyond big body book both box bring broken budget build busy but by byte bytes call
called calling calls came can cannot car case cases cause caused change changed character characters check checked
child children choice choose city class clear close closed code collect column columns come comes command common
complete completed condition connect connected connection contain contains context continue could count country create
created current customer data database date day days dead decide declared default define defined delete deleted depth
describe details did different directory disk division do document documents does doing done door double down due
during each early earlier east either else empty encode end ended ends enough enter entry equal error errors even
event ever every everything exactly example examples exceed exceeded exceeds except exception exist existing exists
expect expected expects extra fact fail failed failing fails failure false family far fast few field fields fifth file
files final find finds first five floating follow following follows for forbid forbidden force form format former
forward found four fourth free from full function further gate gave general generate generated get gets give given
gives go goes going gone good got great group had half hand happen happened hard has have having he head held help her
here hers herself high higher him himself his hit hold home host hour hours house how however human if ignore import
important in include included incorrect index information inner input inputs inside instead instruction instructions
int integer internal into invalid is issue it item items its itself job join just keep kept key keys kind knew know
known knows lack language large larger last late later lead leads least leave led left length less let letter level
library life like limit limits line lines link list lists little live lives load local location lock locked long
longer look looked looking lookup lost lot low lower made main make makes making man many map match matches maximum
may maybe me mean means meant memory men merge message messages method might minimum minute minutes miss missing mode
model models modify module month months more most move much must my name named names near need needed needs negative
network never new next night no nobody node none nor normal north not nothing notice now null number numbers object
objects of off offset often old on once one only onto open operation operator option options or order ordered orders
other others otherwise our out outcome outer output outputs outside over overflow own page parameter parameters parse
parsed parser parsing part parts pass passed past path people per perhaps permission permitted person persons pick
piece place places plain please point points port possible prepare present previous price problem process product
program project prompt property provide provided public put query question questions queue quite quota quote raise
raised range rate rates rather read reading reads ready real really reason receive received record recorded records
refuse refused region reject rejected remain remove removed repeat reply report request requested requests require
required requires reset resource respond response rest result resulted results retrieve retry return returned returns
right room root round route row rows rule run running runs said same save saved saw say saying says schema search
second seconds section see seem seen select self send sent sequence server service session set sets setting settings
several shape she short should show shown side sign similar simple since single size skip slow small so some somebody
someone something soon sort source south space special start started state statement states status step steps still
stop stopped store string strings such support supported supports sure switch system table take taken takes tell ten
term test text texts than that the their them themselves then there these they thing things think third this those
though thought three through thus time timed timeout times title to today together token tokens told tomorrow too took
tool tools top total toward town tried tries true try trying turn two type types unable unauthorized under unexpected
unit unknown unless unpack unsupported until up update upon upper usage use used user users uses using valid
validation value values very via view wait waiting walk want wants was way we week weeks well went were west what
whatever when where whether which while white who whole whom whose why will with within without woman women word words
work worked working works world worse would write written wrong year years yes yesterday yet you young your yours
yourself zero
"""

_VALUES = """
assistant audio developer document file function image image_url input_audio input_file input_image input_text
json_object json_schema message output_text reasoning refusal system text tool tool_call tool_calls tool_result
tool_use user
"""

_PARAMETERS = """
cache frequency_penalty k logit_bias logprobs max_completion_tokens
max_output_tokens max_tokens modalities n num_retries parallel_tool_calls presence_penalty reasoning_effort
response_format rollout_id seed service_tier stop stop_sequences store stream stream_options temperature thinking
timeout tool_choice top_k top_logprobs top_p truncation verbosity
"""

_KEYS = """
arguments cache_control content demos detail documents effort file_data file_id filename format id include input
input_schema inputs instructions json lm messages metadata model name output outputs parameters prediction prompt
properties query role schema signature strict tool_call_id tools type url value
"""

COMMON_WORDS = frozenset(_COMMON.split())

PROTOCOL_VALUES = frozenset(_VALUES.split())
"""Roles and types of messages and their parts."""

PROTOCOL_WORDS = PROTOCOL_VALUES | frozenset(_PARAMETERS.split()) | frozenset(_KEYS.split())
"""With the keys of messages and the names of request parameters."""
