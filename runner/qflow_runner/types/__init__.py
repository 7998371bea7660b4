"""The type system: types as Python writes them, and whether a value of one may flow into a parameter of another."""

from qflow_runner.types.forms import Type as Type
from qflow_runner.types.grammar import TypeSyntax as TypeSyntax
from qflow_runner.types.grammar import parse as parse
from qflow_runner.types.items import Field as Field
from qflow_runner.types.items import dict_of as dict_of
from qflow_runner.types.items import fields_of as fields_of
from qflow_runner.types.items import gathers as gathers
from qflow_runner.types.items import gives as gives
from qflow_runner.types.items import is_file as is_file
from qflow_runner.types.items import is_given as is_given
from qflow_runner.types.items import is_item as is_item
from qflow_runner.types.items import list_of as list_of
from qflow_runner.types.items import takes_file as takes_file
from qflow_runner.types.judging import judge as judge
from qflow_runner.types.scope import EMPTY as EMPTY
from qflow_runner.types.scope import ClassInfo as ClassInfo
from qflow_runner.types.scope import FieldInfo as FieldInfo
from qflow_runner.types.scope import Scope as Scope
from qflow_runner.types.showing import show as show
from qflow_runner.types.verdicts import FITS as FITS
from qflow_runner.types.verdicts import Judgement as Judgement
from qflow_runner.types.verdicts import Verdict as Verdict
from qflow_runner.types.verdicts import unchecked as unchecked
