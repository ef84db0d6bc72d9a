"""Which class knows the costs of which family."""

from trainers.costs.bert import BertCosts
from trainers.costs.family import Family
from trainers.costs.gpt import GptCosts
from trainers.costs.lstm import LstmCosts
from trainers.costs.lstm_seq2seq import LstmSeq2SeqCosts
from trainers.costs.t5 import T5Costs
from trainers.costs.workload import Workload

FAMILIES: dict[str, type[Family]] = {
    "bert": BertCosts,
    "lstm": LstmCosts,
    "gpt": GptCosts,
    "t5": T5Costs,
    "lstm_seq2seq": LstmSeq2SeqCosts,
}


def family_of(workload: Workload) -> Family:
    """What knows the costs of the workload's model."""
    return FAMILIES[workload.model.type](workload)
