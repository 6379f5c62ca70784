"""Language models beside their peers: KenLM scoring our ARPA file, PyTorch training the same networks."""
