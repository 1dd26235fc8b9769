"""Building the models: fetched by digest, converted from ONNX to LiteRT, and compared with the original."""
