from .base_model import BaseModel
from .fragments import StorageFields


class Storage(BaseModel):
    storage: "StorageStorage"


StorageStorage = StorageFields
