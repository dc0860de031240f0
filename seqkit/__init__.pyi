from seqkit import datasets as datasets
from seqkit import estimators as estimators
from seqkit import explain as explain
from seqkit import generation as generation
from seqkit import interop as interop
from seqkit._core import isa as isa
from seqkit._core import num_threads as num_threads
from seqkit._core import set_num_threads as set_num_threads
from seqkit._core import supported_isas as supported_isas
from seqkit._core import threads as threads
from seqkit.cells.gru import GRU as GRU
from seqkit.cells.lstm import LSTM as LSTM
from seqkit.cells.peephole import PeepholeLSTM as PeepholeLSTM
from seqkit.cells.projected_lstm import ProjectedLSTM as ProjectedLSTM
from seqkit.cells.simple_rnn import SimpleRNN as SimpleRNN
from seqkit.data.frames import sequences_from_frame as sequences_from_frame
from seqkit.equations import Cell as Cell
from seqkit.equations import Parameter as Parameter
from seqkit.equations import matrix as matrix
from seqkit.equations import vector as vector
from seqkit.errors import SeqkitError as SeqkitError
from seqkit.graph import Graph as Graph
from seqkit.importing import load_plugin as load_plugin
from seqkit.interop.native import load as load
from seqkit.layer import Layer as Layer
from seqkit.layers.activation import Activation as Activation
from seqkit.layers.add import Add as Add
from seqkit.layers.additive_attention import AdditiveAttention as AdditiveAttention
from seqkit.layers.attention import Attention as Attention
from seqkit.layers.average import Average as Average
from seqkit.layers.bidirectional import Bidirectional as Bidirectional
from seqkit.layers.branch import Branch as Branch
from seqkit.layers.concatenate import Concatenate as Concatenate
from seqkit.layers.conv1d import Conv1D as Conv1D
from seqkit.layers.dense import Dense as Dense
from seqkit.layers.dropout import Dropout as Dropout
from seqkit.layers.embedding import Embedding as Embedding
from seqkit.layers.encoder_decoder import EncoderDecoder as EncoderDecoder
from seqkit.layers.last_step import LastStep as LastStep
from seqkit.layers.layer_norm import LayerNorm as LayerNorm
from seqkit.layers.masked import Masked as Masked
from seqkit.layers.max_pool import MaxPool as MaxPool
from seqkit.layers.mean_pool import MeanPool as MeanPool
from seqkit.layers.multi_head_attention import MultiHeadAttention as MultiHeadAttention
from seqkit.layers.multiply import Multiply as Multiply
from seqkit.layers.prelu import PReLU as PReLU
from seqkit.layers.repeat_vector import RepeatVector as RepeatVector
from seqkit.layers.residual import Residual as Residual
from seqkit.layers.time_distributed import TimeDistributed as TimeDistributed
from seqkit.model import Sequential as Sequential
from seqkit.precision import PrecisionReport as PrecisionReport
from seqkit.precision import precision_report as precision_report
from seqkit.recurrent import Recurrent as Recurrent
from seqkit.registry import create as create
from seqkit.registry import register as register
from seqkit.seq2seq import Seq2Seq as Seq2Seq
from seqkit.training.callbacks.base import Callback as Callback
from seqkit.training.callbacks.checkpoint import Checkpoint as Checkpoint
from seqkit.training.callbacks.csv_logger import CSVLogger as CSVLogger
from seqkit.training.callbacks.early_stopping import EarlyStopping as EarlyStopping
from seqkit.training.callbacks.learning_rate import LearningRateScheduler as LearningRateScheduler
from seqkit.training.callbacks.reduce_on_plateau import ReduceLROnPlateau as ReduceLROnPlateau
from seqkit.training.callbacks.tensorboard import TensorBoard as TensorBoard
from seqkit.training.crf import CRF as CRF
from seqkit.training.ctc import CTC as CTC
from seqkit.training.ctc import ctc_beam as ctc_beam
from seqkit.training.ctc import ctc_greedy as ctc_greedy
from seqkit.training.edit_distance import edit_distance as edit_distance
from seqkit.training.edit_distance import label_error_rate as label_error_rate
from seqkit.training.learning_rate import find_learning_rate as find_learning_rate
from seqkit.training.optimizers import SGD as SGD
from seqkit.training.optimizers import Adam as Adam
from seqkit.training.optimizers import AdamW as AdamW
from seqkit.training.optimizers import RMSprop as RMSprop
from seqkit.wrapper import Wrapper as Wrapper

__version__: str
__all__ = [
    "CRF",
    "CTC",
    "GRU",
    "LSTM",
    "SGD",
    "Activation",
    "Adam",
    "AdamW",
    "Add",
    "AdditiveAttention",
    "Attention",
    "Average",
    "Bidirectional",
    "Branch",
    "CSVLogger",
    "Callback",
    "Cell",
    "Checkpoint",
    "Concatenate",
    "Conv1D",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "EncoderDecoder",
    "Graph",
    "LastStep",
    "Layer",
    "LayerNorm",
    "LearningRateScheduler",
    "Masked",
    "MaxPool",
    "MeanPool",
    "MultiHeadAttention",
    "Multiply",
    "PReLU",
    "Parameter",
    "PeepholeLSTM",
    "PrecisionReport",
    "ProjectedLSTM",
    "RMSprop",
    "Recurrent",
    "ReduceLROnPlateau",
    "RepeatVector",
    "Residual",
    "Seq2Seq",
    "SeqkitError",
    "Sequential",
    "SimpleRNN",
    "TensorBoard",
    "TimeDistributed",
    "Wrapper",
    "create",
    "ctc_beam",
    "ctc_greedy",
    "datasets",
    "edit_distance",
    "estimators",
    "explain",
    "find_learning_rate",
    "generation",
    "interop",
    "isa",
    "label_error_rate",
    "load",
    "load_plugin",
    "matrix",
    "num_threads",
    "precision_report",
    "register",
    "sequences_from_frame",
    "set_num_threads",
    "supported_isas",
    "threads",
    "vector",
]
