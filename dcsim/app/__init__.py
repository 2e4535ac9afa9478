"""The dashboard: Streamlit pages over dcsim's public interface. Needs the extra ``dashboard``."""
